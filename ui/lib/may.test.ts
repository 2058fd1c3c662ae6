import { expect, test } from 'vitest'
import { whyNot } from './may'

const me = (role: 'viewer' | 'responder' | 'admin') => ({ name: 'maya', role, via: 'token', has_session: true })

test('each role may what those before it may', () => {
  expect(whyNot(me('responder'), 'viewer')).toBe('')
  expect(whyNot(me('responder'), 'responder')).toBe('')
  expect(whyNot(me('admin'), 'responder')).toBe('')
})

test('what takes more says what it takes and what one is', () => {
  expect(whyNot(me('viewer'), 'responder')).toBe('This takes the role responder; yours is viewer.')
  expect(whyNot(me('responder'), 'admin')).toBe('This takes the role admin; yours is responder.')
})

test('nothing is held back before it is known who is signed in', () => {
  expect(whyNot(undefined, 'admin')).toBe('')
})
