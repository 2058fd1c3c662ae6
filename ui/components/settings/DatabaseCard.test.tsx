import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi, never, problem } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { DatabaseCard } from './DatabaseCard'

/** What stands beside a name, or nothing. */
const beside = (name: string) => screen.queryByText(name)?.nextElementSibling?.textContent

test('what the database is, and each thing it can do, is said in words', async () => {
  fakeApi({ 'GET /api/database': make.database() })

  show(<DatabaseCard />)

  await waitFor(() => expect(beside('Product')).toContain('MariaDB 10.11.6'))
  expect(beside('Partitions by day')).toBe('In useOld events and spans go by whole days.')
  expect(beside('Vector index')).toBe('Not availableEvery text is compared in the co-pilot instead.')
  expect(beside('Full text')).toMatch(/^Not used/)
  expect(beside('Scattered keys')).toMatch(/^Not needed/)
})

test('while the database is asked, the card stands', () => {
  fakeApi({ 'GET /api/database': never() })

  show(<DatabaseCard />)

  expect(screen.getByRole('region', { name: 'Database' })).toBeTruthy()
  expect(screen.getByRole('status', { name: 'Loading what the database can do' })).toBeTruthy()
})

test('a database that does not answer can be asked again', async () => {
  const answers = [problem(503, 'Unavailable', 'the store does not answer'), make.database()]
  fakeApi({ 'GET /api/database': () => answers.shift() ?? '' })
  show(<DatabaseCard />)
  await screen.findByText('the store does not answer')

  await userEvent.click(screen.getByRole('button', { name: 'Try again' }))

  await waitFor(() => expect(beside('Product')).toContain('MariaDB'))
})
