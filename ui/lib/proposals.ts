import type { ProposalStatus, ProposalView } from './api/types'
import type { DiffRow } from './diff'

/** Why a proposal cannot be approved now; empty where it can. */
export function whyNotApprove(
  proposal: ProposalView,
  rows: DiffRow[],
  mode: string,
  nowUs: number,
): string {
  if (proposal.status !== 'proposed') return proposal.refusal || `It is ${proposal.status}.`
  if (mode === 'read_only') return 'The co-pilot is in read-only mode: nothing is ever changed.'
  if (!proposal.dry_run_accepted) return 'The cluster has not accepted it in a dry run.'
  if (rows.length === 0) return 'There is no diff to look at.'
  if (nowUs > 0 && nowUs > proposal.expires_us) return 'It has expired; look again.'
  return ''
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
