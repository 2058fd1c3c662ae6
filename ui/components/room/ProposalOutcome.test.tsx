import { screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { ProposalOutcome } from './ProposalOutcome'

const NOW = Date.now() * 1000
const room = make.room(NOW)
const held = { held: true, reason: 'No restart for 48 s.', observed: ['rollout complete'], ended_us: NOW, reverted: false }

function outcome(more: Partial<ReturnType<typeof make.proposal>>): string {
  fakeApi({})
  show(<ProposalOutcome room={room} proposal={{ ...make.proposal(NOW), ...more }} />)
  return screen.getByTestId('outcome').textContent ?? ''
}

test('a fix under way says how long it is watched at most', () => {
  const said = outcome({ status: 'applied' })

  expect(said).toContain('Applied, being watched')
  expect(said).toContain('of at most 2m 00s')
})

test('a verified fix says what was observed', () => {
  const said = outcome({ status: 'verified', verification: held })

  expect(said).toContain('No restart for 48 s.')
  expect(said).toContain('rollout complete')
})

test('a fix that was taken back says why, and offers another look', () => {
  const reason = 'killed again after 31 s'
  const said = outcome({ status: 'reverted', verification: { ...held, held: false, reverted: true, reason } })

  expect(said).toContain('taken back by itself')
  expect(said).toContain(reason)
  expect(screen.getByRole('button', { name: 'Look again' })).toBeTruthy()
})
