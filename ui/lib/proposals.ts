import type { ProposalStatus, ProposalView, RoomView, Status } from './api/types'
import type { DiffRow } from './diff'
import { canMove } from './moves'

/** Why a proposal cannot be approved now; empty where it can. */
export function whyNotApprove(
  proposal: ProposalView,
  rows: DiffRow[],
  incident: Status,
  mode: string,
  nowUs: number,
): string {
  if (proposal.status !== 'proposed') return proposal.refusal || `It is ${proposal.status}.`
  if (!canMove(incident, 'remediating')) return WHY_NOT_NOW[incident]
  if (mode === 'read_only') return 'The co-pilot is in read-only mode: nothing is ever changed.'
  if (!proposal.dry_run_accepted) return 'The cluster has not accepted it in a dry run.'
  if (rows.length === 0 && proposal.operations.length === 0) return 'There is no diff to look at.'
  if (nowUs > 0 && nowUs > proposal.expires_us) return 'It has expired; look again.'
  return ''
}

const WHY_NOT_NOW: Record<Status, string> = {
  open: 'The agents have not looked at it yet.',
  investigating: 'The agents are looking again.',
  awaiting_approval: '',
  remediating: 'Another fix is under way.',
  resolved: 'The incident is resolved.',
}

/** `1 of 2`: how many people have said yes, where it takes more than one. */
export function approvalsSoFar(proposal: ProposalView): string {
  if (proposal.approvals_needed < 2) return ''
  const given = proposal.approvals.filter((each) => each.decision === 'approve').length
  return `${given} of ${proposal.approvals_needed}`
}

/** The proposal to look at: the one asked for, what resolved the incident, or the server's first. */
export function proposalToShow(room: RoomView, asked: number): ProposalView | undefined {
  const named = room.proposals.find((each) => each.id === asked)
  const held = room.proposals.find((each) => each.status === 'verified')
  const isOver = room.incident.status === 'resolved'
  return named ?? (isOver ? held : undefined) ?? room.proposals[0]
}

/** Ended without having helped, so that another look makes sense. */
export const ENDED: ProposalStatus[] = [
  'refused',
  'superseded',
  'rejected',
  'reverted',
  'failed',
  'expired',
]
