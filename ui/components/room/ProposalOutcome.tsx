'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { CheckCircle2, CircleAlert, LoaderCircle, RotateCw, Undo2, XCircle } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from '@/components/ui/Button'
import { Time } from '@/components/ui/Time'
import { useLookAgain } from '@/lib/api/mutations'
import { useWhyNot } from '@/lib/may'
import { progressQuery } from '@/lib/api/queries'
import type { ProposalView, RoomView } from '@/lib/api/types'
import { duration, percent } from '@/lib/format'
import { useNow } from '@/lib/now'
import { ENDED } from '@/lib/proposals'

/** What became of it: under way, verified, taken back, or never applied. */
export function ProposalOutcome({ room, proposal }: { room: RoomView; proposal: ProposalView }) {
  const { data: progress } = useQuery(progressQuery(room.incident.id))
  const isOpen = room.incident.status !== 'resolved'
  return (
    <div
      data-testid="outcome"
      ref={proposal.status === 'approved' ? bringIntoView : null} className="space-y-2.5 border-t p-3"
    >
      <Headline proposal={proposal} progress={progress} />
      {proposal.status === 'applied' && <Watching room={room} proposal={proposal} />}
      <Approvals proposal={proposal} />
      <Observed proposal={proposal} />
      {isOpen && ENDED.includes(proposal.status) && <LookAgain incidentId={room.incident.id} />}
    </div>
  )
}

/** Whoever approved at the foot of the card sees at once what comes of it. */
function bringIntoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: 'nearest' })
}

function Headline({ proposal, progress }: { proposal: ProposalView; progress: string }) {
  const reason = proposal.verification?.reason || proposal.refusal
  switch (proposal.status) {
    case 'proposed':
      return null
    case 'approved':
      return <Line icon={<Busy />} title="Approved, being applied" reason={progress || 'The object is read again, then patched.'} />
    case 'opened':
      return <Line icon={<Busy />} title="Pull request open" reason={reason || 'People merge it or close it; then the cluster is watched.'} />
    case 'applied':
      return <Line icon={<Busy />} title="Applied, being watched" reason={progress || 'Waiting for the signal that opened the incident to go quiet.'} />
    case 'verified':
      return <Line icon={<CheckCircle2 className="size-4 text-ok" />} look="bg-ok-soft text-ok" title="Verified" reason={reason} />
    case 'relapsed':
      return <Line icon={<CircleAlert className="size-4 text-warn" />} look="bg-warn-soft text-warn" title="It held at first, then the same trouble came back" reason={reason} />
    case 'reverted':
      return <Line icon={<Undo2 className="size-4 text-warn" />} look="bg-warn-soft text-warn" title="It did not help, and was taken back by itself" reason={reason} />
    case 'failed':
      return <Line icon={<CircleAlert className="size-4 text-crit" />} look="bg-crit-soft text-crit" title="It failed" reason={reason} />
    case 'refused':
      return <Line icon={<XCircle className="size-4 text-warn" />} look="bg-warn-soft text-warn" title="Refused: it cannot be approved" reason={reason} />
    case 'rejected':
      return <Line icon={<XCircle className="size-4 text-fg-3" />} title="Rejected" reason={reason} />
    case 'superseded':
      return <Line icon={<XCircle className="size-4 text-fg-3" />} title="Superseded by a newer proposal" reason={reason} />
    case 'expired':
      return <Line icon={<XCircle className="size-4 text-fg-3" />} title="Expired: nobody decided in time" reason={reason} />
    default:
      return proposal.status satisfies never
  }
}

function Busy() {
  return <LoaderCircle className="size-4 animate-spin text-info" />
}

interface LineProps {
  icon: ReactNode
  title: string
  reason: string
  look?: string
}

function Line({ icon, title, reason, look = 'bg-raised' }: LineProps) {
  return (
    <div role="status" className={clsx('rounded-md px-2.5 py-2', look)}>
      <p className="flex items-center gap-2 font-semibold">
        <span aria-hidden>{icon}</span>
        {title}
      </p>
      {reason && <p className="mt-0.5 pl-6 text-meta break-words text-fg-2">{reason}</p>}
    </div>
  )
}

/** How much of the time for verification has gone by. */
function Watching({ room, proposal }: { room: RoomView; proposal: ProposalView }) {
  const now = useNow()
  const approvedUs = proposal.approvals.at(-1)?.ts_us ?? proposal.created_us
  const acted = room.timeline.filter((entry) => entry.kind === 'action' && entry.ts_us >= approvedUs)
  const since = acted.at(-1)?.ts_us ?? approvedUs
  const seconds = Math.max(0, (now - since) / 1_000_000)
  const share = Math.min(1, seconds / proposal.window_s)
  return (
    <div>
      <div className="h-1 overflow-hidden rounded-full bg-raised" aria-hidden>
        <div className="h-full bg-info-fill transition-[width] duration-1000 ease-linear" style={{ width: percent(share) }} />
      </div>
      <p className="mt-1 text-meta text-fg-3 tabular">
        {duration(seconds)} of at most {duration(proposal.window_s)}
        {proposal.rollback !== null && ' · taken back by itself if it does not hold'}
      </p>
    </div>
  )
}

function Approvals({ proposal }: { proposal: ProposalView }) {
  return proposal.approvals.map((approval, index) => (
    <p key={index} className="text-meta break-words text-fg-2">
      {approval.decision === 'approve' ? 'Approved' : 'Rejected'} by{' '}
      <span className="font-semibold text-fg">{approval.approver}</span> at <Time us={approval.ts_us} className="mono" />
      {approval.reason && `: ${approval.reason}`}
    </p>
  ))
}

function Observed({ proposal }: { proposal: ProposalView }) {
  const { verification } = proposal
  if (!verification || verification.observed.length === 0) return null
  return (
    <div className="text-meta">
      <p className="text-fg-3">
        What was observed, until <Time us={verification.ended_us} className="mono" />
      </p>
      <ul className="mt-1 space-y-0.5 text-fg-2">
        {verification.observed.map((line, index) => (
          <li key={index} className="break-words">
            · {line}
          </li>
        ))}
      </ul>
    </div>
  )
}

function LookAgain({ incidentId }: { incidentId: number }) {
  const lookAgain = useLookAgain(incidentId)
  const notMine = useWhyNot('responder')
  return (
    <Button
      onClick={() => lookAgain.mutate()}
      disabled={notMine !== '' || lookAgain.isPending}
      title={notMine || undefined}
      className="w-full"
    >
      <RotateCw className="size-3.5" aria-hidden /> Look again
    </Button>
  )
}
