import { expect, test } from 'vitest'
import { canMove, MOVES, steps } from './moves'

test('every move leads to a status that has moves of its own', () => {
  const known = Object.keys(MOVES)

  for (const to of Object.values(MOVES).flat()) expect(known).toContain(to)
})

test('from resolved only a relapse leads back', () => {
  expect(MOVES.resolved).toEqual(['open'])
  expect(canMove('awaiting_approval', 'resolved')).toBe(true)
})

test.each([
  ['a new incident is detected', { status: 'open', acknowledged_us: null }, false, ['current', 'ahead', 'ahead', 'ahead']],
  ['an acknowledged one waits there', { status: 'awaiting_approval', acknowledged_us: 1 }, false, ['done', 'current', 'ahead', 'ahead']],
  ['an approved fix passes over acknowledging', { status: 'remediating', acknowledged_us: null }, true, ['done', 'skipped', 'current', 'ahead']],
  ['a fix that held was mitigated', { status: 'resolved', acknowledged_us: 1 }, true, ['done', 'done', 'done', 'done']],
  ['one resolved by hand was not', { status: 'resolved', acknowledged_us: null }, false, ['done', 'skipped', 'skipped', 'done']],
] as const)('%s', (_, incident, wasMitigated, states) => {
  expect(steps(incident, wasMitigated).map(([, state]) => state)).toEqual(states)
})
