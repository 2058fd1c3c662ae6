'use client'

import { Check } from 'lucide-react'
import { useId, useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Kbd } from '@/components/ui/Kbd'
import { useActions } from '@/lib/actions'
import { useApprove } from '@/lib/api/mutations'
import type { ProposalView, RoomView } from '@/lib/api/types'
import type { DiffRow } from '@/lib/diff'
import { useWhyNot } from '@/lib/may'
import { approvalsSoFar } from '@/lib/proposals'
import { ApproveDialog } from './ApproveDialog'
import { RejectDialog } from './RejectDialog'

interface DecisionProps {
  room: RoomView
  proposal: ProposalView
  rows: DiffRow[]
  disabledReason: string
}

/** Approve and reject; they stay at hand while the card is on screen. */
export function Decision({ room, proposal, rows, disabledReason }: DecisionProps) {
  const [asked, setAsked] = useState<'' | 'approve' | 'reject'>('')
  const reasonId = useId()
  const notMine = useWhyNot('responder')
  const approve = useApprove(room.incident.id)
  const title = proposal.pull_request ? 'Open pull request' : 'Approve and apply'
  const soFar = approvalsSoFar(proposal)
  useActions([
    { id: 'approve', title: proposal.pull_request ? 'Open a pull request with the fix' : 'Approve and apply the fix', group: 'Incident', keys: 'a', disabledReason, run: () => setAsked('approve') },
    { id: 'reject', title: 'Reject the fix', group: 'Incident', keys: 'x', disabledReason: notMine, run: () => setAsked('reject') },
  ])
  return (
    <div className="border-t bg-panel p-3 sticky bottom-0 max-md:bottom-14 max-sm:py-2">
      {approve.error && (
        <p role="alert" className="mb-2 rounded bg-crit-soft px-2 py-1.5 text-meta break-words text-crit">
          Not applied. {approve.error.message}
        </p>
      )}
      <div className="flex gap-2">
        <Button
          look="primary"
          className="flex-1"
          disabled={disabledReason !== '' || approve.isPending}
          aria-describedby={disabledReason ? reasonId : undefined}
          onClick={() => setAsked('approve')}
        >
          <Check className="size-4" aria-hidden /> {title} <Kbd keys="a" />
        </Button>
        <Button onClick={() => setAsked('reject')} disabled={notMine !== ''} title={notMine || undefined}>
          Reject
        </Button>
      </div>
      {soFar && (
        <p className="mt-2 text-meta text-fg-2">
          A high risk takes two people: {soFar} {soFar.startsWith('1') ? 'has' : 'have'} approved.
        </p>
      )}
      {disabledReason && (
        <p id={reasonId} className="mt-2 text-meta break-words text-warn">
          {disabledReason}
        </p>
      )}
      <ApproveDialog
        room={room}
        proposal={proposal}
        rows={rows}
        isOpen={asked === 'approve'}
        isBusy={approve.isPending}
        onOpenChange={(isOpen) => setAsked(isOpen ? 'approve' : '')}
        onApprove={() => approve.mutate(proposal, { onSettled: () => setAsked('') })}
      />
      <RejectDialog
        incidentId={room.incident.id}
        proposal={proposal}
        isOpen={asked === 'reject'}
        onOpenChange={(isOpen) => setAsked(isOpen ? 'reject' : '')}
      />
    </div>
  )
}
