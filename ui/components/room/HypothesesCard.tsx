import { clsx } from 'clsx'
import { CheckCircle2, CircleHelp, XCircle } from 'lucide-react'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Empty } from '@/components/ui/States'
import type { Hypothesis, RoomView, Statement, Verdict } from '@/lib/api/types'
import { percent } from '@/lib/format'
import { VERDICT } from '@/lib/labels'
import { Chips } from './Chip'

/** The possible causes, ranked; what was ruled out stays, with why. */
export function HypothesesCard({ room }: { room: RoomView }) {
  const by = room.model ? `with ${room.model}` : 'ranked by evidence'
  return (
    <Card title="Hypotheses" aside={by} className="order-2 lg:order-none">
      {room.hypotheses.length === 0 ? (
        <Empty title={room.incident.status === 'resolved' ? 'No cause was found' : 'The detective is looking'}>
          {room.incident.status === 'resolved'
            ? 'Nothing that was seen speaks for a cause.'
            : 'Causes appear here ranked by their evidence.'}
        </Empty>
      ) : (
        <ol className="divide-y">
          {room.hypotheses.map((hypothesis) => (
            <Item key={hypothesis.id} hypothesis={hypothesis} />
          ))}
        </ol>
      )}
    </Card>
  )
}

const SIGN = {
  supported: { icon: CheckCircle2, look: 'text-ok' },
  refuted: { icon: XCircle, look: 'text-fg-3' },
  inconclusive: { icon: CircleHelp, look: 'text-warn' },
} as const

function Item({ hypothesis }: { hypothesis: Hypothesis }) {
  const { icon: Icon, look } = SIGN[hypothesis.verdict]
  const isRefuted = hypothesis.verdict === 'refuted'
  const { label, tone } = VERDICT[hypothesis.verdict]
  return (
    <li id={hypothesis.id} data-testid={`hypothesis-${hypothesis.id}`} className="grid grid-cols-[1rem_minmax(0,1fr)] gap-x-2.5 px-3 py-2.5">
      <Icon className={clsx('mt-0.5 size-4', look)} aria-hidden />
      <div className="min-w-0">
        <div className="flex items-start gap-3">
          <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-2 gap-y-1">
            <h3 className={clsx('min-w-0 break-words', isRefuted ? 'text-fg-2' : 'font-semibold')}>
              {hypothesis.title}
            </h3>
            <Badge tone={tone}>{label}</Badge>
          </div>
          <Confidence share={hypothesis.confidence} verdict={hypothesis.verdict} />
        </div>
        <Statements label="For" statements={hypothesis.supporting} />
        <Statements label="Against" statements={hypothesis.against} />
        {hypothesis.next_check && (
          <p className="mt-1 text-meta text-fg-2">
            <span className="text-fg-3">What would decide it:</span> {hypothesis.next_check}
          </p>
        )}
      </div>
    </li>
  )
}

function Confidence({ share, verdict }: { share: number; verdict: Verdict }) {
  const fill = { supported: 'bg-ok-fill', refuted: 'bg-fg-3', inconclusive: 'bg-warn-fill' }[verdict]
  return (
    <span className="flex h-5 items-center gap-2">
      <span aria-hidden className="h-1 w-16 overflow-hidden rounded-full bg-raised max-sm:hidden">
        <span className={clsx('block h-full rounded-full', fill)} style={{ width: percent(share) }} />
      </span>
      <span className="w-9 text-right mono text-meta">
        <span className="sr-only">confidence </span>
        {percent(share)}
      </span>
    </span>
  )
}

function Statements({ label, statements }: { label: string; statements: Statement[] }) {
  if (statements.length === 0) return null
  return (
    <ul aria-label={label} className="mt-1 space-y-0.5 text-meta text-fg-2">
      {statements.map((statement, index) => (
        <li key={index} className="grid grid-cols-[3.25rem_minmax(0,1fr)]">
          <span className="text-fg-3">{label}</span>
          <span className="break-words">
            {statement.text} <Chips ids={statement.evidence} />
          </span>
        </li>
      ))}
    </ul>
  )
}
