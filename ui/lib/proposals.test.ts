import { expect, test } from 'vitest'
import * as make from '../mocks/fixtures.mjs'
import { diffRows } from './diff'
import { approvalsSoFar, proposalToShow, whyNotApprove } from './proposals'

const NOW = 1_772_600_000_000_000
const proposal = make.proposal(NOW)
const rows = diffRows(proposal.diff)

test('a proposal that the cluster accepted can be approved', () => {
  expect(whyNotApprove(proposal, rows, 'awaiting_approval', 'review', NOW)).toBe('')
})

test.each([
  ['not accepted in a dry run', { ...proposal, dry_run_accepted: false }, rows, 'review', NOW, /dry run/],
  ['no diff to look at', proposal, [], 'review', NOW, /no diff/],
  ['read-only mode', proposal, rows, 'read_only', NOW, /read-only/],
  ['expired', proposal, rows, 'review', proposal.expires_us + 1, /expired/],
  ['refused', { ...proposal, status: 'refused' as const, refusal: 'over the quota' }, rows, 'review', NOW, /quota/],
])('it cannot be approved: %s', (_, given, shown, mode, now, reason) => {
  expect(whyNotApprove(given, shown, 'awaiting_approval', mode, now)).toMatch(reason)
})

test('a fix without a diff can be approved where it says what is done instead', () => {
  const operations = [{ text: 'Delete Pod shop/web-0', target: proposal.target, body: '' }]
  expect(whyNotApprove({ ...proposal, operations }, [], 'awaiting_approval', 'review', NOW)).toBe('')
})

test('approvals are counted only where it takes more than one', () => {
  const yes = { proposal_id: 1, approver: 'maya', decision: 'approve' as const, digest: '', reason: '', ts_us: NOW }
  expect(approvalsSoFar(proposal)).toBe('')
  expect(approvalsSoFar({ ...proposal, approvals_needed: 2, approvals: [yes] })).toBe('1 of 2')
})

test.each([
  ['resolved', /resolved/],
  ['remediating', /under way/],
  ['investigating', /looking/],
] as const)('it cannot be approved while the incident is %s', (status, reason) => {
  expect(whyNotApprove(proposal, rows, status, 'review', NOW)).toMatch(reason)
})

test('what resolved the incident is shown before what was left over', () => {
  const held = { ...proposal, id: 7, status: 'verified' as const }
  const room = { ...make.room(NOW), proposals: [proposal, held], incident: make.resolved(NOW) }

  expect(proposalToShow(room, NaN)?.id).toBe(7)
  expect(proposalToShow(room, proposal.id)?.id).toBe(proposal.id)
})
