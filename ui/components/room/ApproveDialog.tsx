'use client'

import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ConfirmDialog } from '@/components/ui/ConfirmDialog'
import { meQuery } from '@/lib/api/queries'
import type { ProposalView, RoomView } from '@/lib/api/types'
import { changedLines, type DiffRow } from '@/lib/diff'
import { objectName } from '@/lib/format'
import { RISK } from '@/lib/labels'

interface ApproveDialogProps {
  room: RoomView
  proposal: ProposalView
  rows: DiffRow[]
  isOpen: boolean
  isBusy: boolean
  onOpenChange: (isOpen: boolean) => void
  onApprove: () => void
}

/** Names the cluster, the object, what changes, the way back and who is recorded. */
export function ApproveDialog(props: ApproveDialogProps) {
  const { room, proposal } = props
  const { data: me } = useQuery(meQuery())
  const { target } = proposal
  const changes = changedLines(props.rows)
  return (
    <ConfirmDialog
      isOpen={props.isOpen}
      onOpenChange={props.onOpenChange}
      title="Approve this change"
      confirm="Approve"
      isBusy={props.isBusy}
      onConfirm={props.onApprove}
    >
      <dl className="grid grid-cols-[6rem_minmax(0,1fr)] gap-x-3 gap-y-1.5">
        <Row name="Cluster">{room.incident.cluster}</Row>
        <Row name="Object">
          {objectName(target)}
        </Row>
        {proposal.pull_request && (
          <Row name="As">
            pull request to {proposal.pull_request.repository}, {proposal.pull_request.base}
          </Row>
        )}
        <Row name="Changes">
          {changes.length === 0 ? proposal.title : changes.map((change, index) => <span key={index} className="block">{change}</span>)}
        </Row>
        {proposal.operations.map((operation, index) => (
          <Row key={index} name={`Step ${index + 1}`}>
            {operation.text}
          </Row>
        ))}
        <Row name="Disruption">{proposal.disruption || 'none expected'}</Row>
        <Row name="Risk">{RISK[proposal.risk].label}</Row>
        <Row name="Way back">
          {proposal.rollback === null
            ? proposal.no_rollback_reason || 'none'
            : wayBack(proposal)}
        </Row>
        {me && <Row name="Recorded as">{me.name}</Row>}
      </dl>
    </ConfirmDialog>
  )
}

function wayBack({ pull_request: pull, window_s: seconds }: ProposalView): string {
  const when = `if the signal does not go quiet within ${seconds} s`
  return pull ? `another pull request, ${when}` : `by itself, ${when}`
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-fg-3">{name}</dt>
      <dd className="mono text-meta leading-[1.1875rem] break-words text-fg">{children}</dd>
    </>
  )
}
