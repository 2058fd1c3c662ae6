import { render } from '@testing-library/react'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Action, allActions, onKeyDown, useActions } from './actions'

const ran: string[] = []
const action = (keys: string, more: Partial<Action> = {}): Action => ({
  id: keys,
  title: keys,
  group: 'View',
  keys,
  run: () => ran.push(keys),
  ...more,
})

function Offer({ actions }: { actions: Action[] }) {
  useActions(actions)
  return <input aria-label="Note" />
}

beforeEach(() => {
  ran.length = 0
  addEventListener('keydown', onKeyDown)
})
afterEach(() => removeEventListener('keydown', onKeyDown))

function press(key: string, target: EventTarget = document.body): void {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
}

test('a key and two keys after each other run their actions', () => {
  render(<Offer actions={[action('a'), action('g c')]} />)

  press('a')
  press('g')
  press('c')

  expect(ran).toEqual(['a', 'g c'])
})

test('keys do nothing while somebody types', () => {
  const { getByLabelText } = render(<Offer actions={[action('a')]} />)

  press('a', getByLabelText('Note'))

  expect(ran).toEqual([])
})

test('what cannot be done now is listed, and not done', () => {
  render(<Offer actions={[action('a', { disabledReason: 'expired' })]} />)

  press('a')

  expect(ran).toEqual([])
  expect(allActions().map((each) => each.disabledReason)).toEqual(['expired'])
})

test('an action leaves with the view that offered it', () => {
  const { unmount } = render(<Offer actions={[action('a')]} />)

  unmount()

  expect(allActions()).toEqual([])
})
