import type { Ability, Health, HitKind, ProposalStatus, PullStage, Risk, Verdict } from './api/types'

/** How closed sets are called on screen, and which of the meanings each one has. */
export type Tone = 'crit' | 'warn' | 'ok' | 'info' | 'idle'

export const HEALTH: Record<Health, { label: string; tone: Tone }> = {
  failing: { label: 'Failing', tone: 'crit' },
  degraded: { label: 'Degraded', tone: 'warn' },
  pending: { label: 'Pending', tone: 'info' },
  healthy: { label: 'Healthy', tone: 'ok' },
  completed: { label: 'Completed', tone: 'idle' },
}

export const HEALTHS: Health[] = ['failing', 'degraded', 'pending', 'healthy', 'completed']

export const VERDICT: Record<Verdict, { label: string; tone: Tone }> = {
  supported: { label: 'Supported', tone: 'ok' },
  refuted: { label: 'Refuted', tone: 'idle' },
  inconclusive: { label: 'Inconclusive', tone: 'warn' },
}

export const RISK: Record<Risk, { label: string; tone: Tone }> = {
  low: { label: 'Low', tone: 'ok' },
  medium: { label: 'Medium', tone: 'warn' },
  high: { label: 'High', tone: 'crit' },
}

export const PROPOSAL: Record<ProposalStatus, { label: string; tone: Tone }> = {
  proposed: { label: 'Proposed', tone: 'info' },
  refused: { label: 'Refused', tone: 'warn' },
  superseded: { label: 'Superseded', tone: 'idle' },
  rejected: { label: 'Rejected', tone: 'idle' },
  approved: { label: 'Approved', tone: 'info' },
  opened: { label: 'Pull request open', tone: 'info' },
  applied: { label: 'Applied, verifying', tone: 'info' },
  verified: { label: 'Verified', tone: 'ok' },
  relapsed: { label: 'Did not last', tone: 'warn' },
  reverted: { label: 'Taken back', tone: 'warn' },
  failed: { label: 'Failed', tone: 'crit' },
  expired: { label: 'Expired', tone: 'idle' },
}

export const PULL_STAGE: Record<PullStage, { label: string; tone: Tone }> = {
  planned: { label: 'Not opened yet', tone: 'idle' },
  open: { label: 'Waiting for its merge', tone: 'info' },
  closed: { label: 'Closed without a merge', tone: 'idle' },
  merged: { label: 'Merged, not in the cluster yet', tone: 'info' },
  rolling_out: { label: 'Rolling out', tone: 'info' },
  verified: { label: 'Verified', tone: 'ok' },
  revert_open: { label: 'Did not hold; its revert waits for its merge', tone: 'warn' },
  reverted: { label: 'Taken back', tone: 'warn' },
  failed: { label: 'Failed', tone: 'crit' },
}

export const HIT: Record<HitKind, string> = {
  log: 'Logs',
  event: 'Events',
  incident: 'Incidents',
  runbook: 'Runbooks',
  change: 'Changes',
}

export const HITS: HitKind[] = ['incident', 'runbook', 'change', 'event', 'log']

export function severityTone(severity: number): Tone {
  if (severity <= 1) return 'crit'
  return severity === 2 ? 'warn' : severity === 3 ? 'info' : 'idle'
}

export function levelTone(level: string): Tone {
  if (level === 'error' || level === 'fatal') return 'crit'
  return level === 'warn' ? 'warn' : 'idle'
}

/** `review` as people read it. */
export const MODE: Record<string, { label: string; detail: string }> = {
  read_only: { label: 'Read only', detail: 'Nothing is ever changed in the cluster.' },
  review: { label: 'Review', detail: 'Each change waits for a person to approve it.' },
  autonomous: {
    label: 'Autonomous',
    detail: 'Changes that a guardrail names are applied without asking.',
  },
}

export const ABILITY: Record<Ability, string> = {
  used: 'In use',
  unused: 'Not used',
  unneeded: 'Not needed',
  missing: 'Not available',
}

/** How somebody signed in, as it goes on after "as admin,": `laptop`, `token`, or a provider's host. */
export function signedInBy(via: string): string {
  if (via === 'laptop') return "with the co-pilot's own access token"
  return via === 'token' ? 'with a personal access token' : `through ${via}`
}
