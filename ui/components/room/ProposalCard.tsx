'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { RotateCw, ShieldCheck, ShieldX } from 'lucide-react'
import { Badge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Empty } from '@/components/ui/States'
import { useLookAgain } from '@/lib/api/mutations'
import { statusQuery } from '@/lib/api/queries'
import type { ProposalView, RoomView } from '@/lib/api/types'
import { diffRows } from '@/lib/diff'
import { useWhyNot } from '@/lib/may'
import { useNow } from '@/lib/now'
import { whyNotApprove } from '@/lib/proposals'
import { Chips } from './Chip'
import { Command } from './Command'
import { Decision } from './Decision'
import { Diff } from './Diff'
import { Operations } from './Operations'
import { ProposalFacts } from './ProposalFacts'
import { ProposalOutcome } from './ProposalOutcome'
import { PullRequest } from './PullRequest'

interface ProposalCardProps {
  room: RoomView
  proposal: ProposalView | undefined
}

/** The one fix to look at: what changes, what the cluster says to it, the way back, and the decision. */
export function ProposalCard({ room, proposal }: ProposalCardProps) {
  const isWaiting = proposal?.status === 'proposed'
  return (
    <Card
      title={`Proposed fix${proposal ? ` F${proposal.id}` : ''}`}
      label="Proposed fix"
      aside={proposal && <DryRunBadge proposal={proposal} />}
      className={clsx('order-1 lg:order-none', isWaiting && '!border-accent-line')}
    >
      {proposal ? <Fix room={room} proposal={proposal} /> : <NoFix room={room} />}
    </Card>
  )
}

function Fix({ room, proposal }: { room: RoomView; proposal: ProposalView }) {
  const rows = diffRows(proposal.diff)
  const { data: status } = useQuery(statusQuery())
  const now = useNow()
  const notMine = useWhyNot('responder')
  const reason = notMine || whyNotApprove(proposal, rows, room.incident.status, status?.mode ?? 'review', now)
  return (
    <>
      <div className="px-3 py-2.5">
        <h3 className="font-semibold break-words">{proposal.title}</h3>
        <p className="mt-1 break-words text-fg-2">
          {proposal.why} <Chips ids={proposal.evidence} />
          {proposal.hypothesis && (
            <a href={`#${proposal.hypothesis}`} className="ml-1 text-meta text-fg-3 underline">
              answers {proposal.hypothesis}
            </a>
          )}
        </p>
        {!proposal.dry_run_accepted && proposal.dry_run_message && (
          <p className="mt-1.5 rounded bg-warn-soft px-2 py-1 text-meta break-words text-warn">
            The cluster’s dry run: {proposal.dry_run_message}
          </p>
        )}
      </div>
      {proposal.status !== 'proposed' && <ProposalOutcome room={room} proposal={proposal} />}
      {rows.length > 0 && (
        <div className="border-t">
          <Diff rows={rows} />
        </div>
      )}
      {proposal.operations.length > 0 && <Operations operations={proposal.operations} />}
      {proposal.pull_request && (
        <PullRequest incidentId={room.incident.id} proposal={proposal} pull={proposal.pull_request} />
      )}
      <ProposalFacts proposal={proposal} />
      <Command command={proposal.command} />
      {proposal.status === 'proposed' && (
        <Decision room={room} proposal={proposal} rows={rows} disabledReason={reason} />
      )}
    </>
  )
}

function DryRunBadge({ proposal }: { proposal: ProposalView }) {
  return proposal.dry_run_accepted ? (
    <Badge tone="ok">
      <ShieldCheck className="size-3" aria-hidden /> dry run accepted
    </Badge>
  ) : (
    <Badge tone="warn">
      <ShieldX className="size-3" aria-hidden /> dry run not accepted
    </Badge>
  )
}

function NoFix({ room }: { room: RoomView }) {
  const lookAgain = useLookAgain(room.incident.id)
  const notMine = useWhyNot('responder')
  const isOpen = room.incident.status !== 'resolved'
  const isLooking = isOpen && room.hypotheses.length === 0
  if (isLooking) return <Empty title="The agents are looking">A fix is proposed once a cause is found.</Empty>
  return (
    <Empty title={isOpen ? 'There is no fix that can be proposed' : 'No fix was needed from here'}>
      {isOpen && (
        <>
          <p className="mb-2">The runbook and the hypotheses say what a person can do.</p>
          <Button
            onClick={() => lookAgain.mutate()}
            disabled={notMine !== '' || lookAgain.isPending}
            title={notMine || undefined}
          >
            <RotateCw className="size-3.5" aria-hidden /> Look again
          </Button>
        </>
      )}
    </Empty>
  )
}
