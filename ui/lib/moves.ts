import type { Status } from './api/types'
import table from './moves.json'

/** All the ways an incident can go; the twin of `MOVES` in `domain/incident.py`, held equal by a test. */
export const MOVES: Record<Status, readonly string[]> = table

export function canMove(from: Status, to: Status): boolean {
  return MOVES[from].includes(to)
}

export type Step = 'Detected' | 'Acknowledged' | 'Mitigating' | 'Resolved'
export type StepState = 'done' | 'current' | 'skipped' | 'ahead'

interface Progress {
  status: Status
  acknowledged_us: number | null
}

/** Where an incident stands on the four steps that people know; what was passed over is `skipped`. */
export function steps(incident: Progress, wasMitigated: boolean): [Step, StepState][] {
  const isResolved = incident.status === 'resolved'
  const isMitigating = incident.status === 'remediating'
  const isAcknowledged = incident.acknowledged_us !== null
  const isPast = isResolved || isMitigating
  const mitigating = isMitigating ? 'current' : isResolved ? past(wasMitigated) : 'ahead'
  return [
    ['Detected', isAcknowledged || isPast ? 'done' : 'current'],
    ['Acknowledged', isPast ? past(isAcknowledged) : isAcknowledged ? 'current' : 'ahead'],
    ['Mitigating', mitigating],
    ['Resolved', isResolved ? 'done' : 'ahead'],
  ]
}

function past(wasDone: boolean): StepState {
  return wasDone ? 'done' : 'skipped'
}
