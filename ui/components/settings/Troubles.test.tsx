import { render, screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { Troubles } from './Troubles'

const NOW_US = 1_795_000_000_000_000

test('what ails the co-pilot itself is said, with when it began', () => {
  const outbox = { what: 'outbox', since_us: NOW_US - 300_000_000, message: 'a message was not delivered' }

  render(<Troubles troubles={[outbox]} nowUs={NOW_US} />)

  expect(screen.getByRole('alert').textContent).toBe('a message was not deliveredbegan 5m ago')
})

test('a co-pilot that is well says nothing', () => {
  render(<Troubles troubles={[]} nowUs={NOW_US} />)

  expect(document.body.textContent).toBe('')
})
