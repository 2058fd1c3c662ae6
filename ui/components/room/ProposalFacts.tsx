import { clsx } from 'clsx'
import type { ReactNode } from 'react'
import type { ProposalView } from '@/lib/api/types'
import { duration } from '@/lib/format'
import { RISK } from '@/lib/labels'

const TONE = { ok: 'text-ok', warn: 'text-warn', crit: 'text-crit', info: '', idle: '' } as const

/** Risk, disruption and the way back, before anybody decides. */
export function ProposalFacts({ proposal }: { proposal: ProposalView }) {
  const { label, tone } = RISK[proposal.risk]
  return (
    <div className="border-t text-meta">
      <dl className="grid grid-cols-3 divide-x">
        <Fact name="Risk">
          <span className={clsx('font-semibold', TONE[tone])}>{label}</span>
        </Fact>
        <Fact name="Way back">
          <span className="font-semibold">{wayBack(proposal)}</span>
        </Fact>
        <Fact name="Watched for">
          <span className="font-semibold">up to {duration(proposal.window_s)}</span>
        </Fact>
      </dl>
      <dl className="space-y-1 border-t px-3 py-2">
        <Line name="Disruption">{proposal.disruption || 'none expected'}</Line>
        {proposal.risk_reasons.map((reason, index) => (
          <Line key={index} name="Risk">
            {reason}
          </Line>
        ))}
        {proposal.rollback === null && (
          <Line name="Way back">{proposal.no_rollback_reason || 'There is none.'}</Line>
        )}
      </dl>
    </div>
  )
}

function wayBack({ rollback, pull_request: pull }: ProposalView): string {
  if (rollback === null) return 'None'
  return pull ? 'By pull request' : 'By itself'
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0 px-3 py-1.5">
      <dt className="text-fg-3">{name}</dt>
      <dd className="break-words">{children}</dd>
    </div>
  )
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[4.75rem_minmax(0,1fr)]">
      <dt className="text-fg-3">{name}</dt>
      <dd className="break-words text-fg-2">{children}</dd>
    </div>
  )
}
