import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { SearchParamsContext } from 'next/dist/shared/lib/hooks-client-context.shared-runtime'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi, never, problem } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { SearchPage } from './SearchPage'

const NOW = Date.now() * 1000

const COUNTS = make.searchCounts(NOW)
COUNTS.counted.bars = COUNTS.counted.bars.slice(-6)
COUNTS.counted.bars[0] = { ts_us: COUNTS.counted.looked_back_to_us - 1, n: 0, n_severe: 0 }

function open(q: string, more: Parameters<typeof fakeApi>[0] = {}) {
  const asked = fakeApi({
    'GET /api/search': make.search(NOW, q),
    'GET /api/search/counts': COUNTS,
    ...more,
  })
  const params = new URLSearchParams(q ? { q } : {})
  show(
    <SearchParamsContext value={params}>
      <SearchPage />
    </SearchParamsContext>,
  )
  return asked
}

function hrefOf(link: HTMLElement): string {
  return new URL(link.getAttribute('href') ?? '', 'http://x').searchParams.get('q') ?? ''
}

test('without a question nothing is asked', () => {
  const asked = open('')

  expect(screen.getByText('Ask for anything that was logged, said or changed')).toBeTruthy()
  expect(asked).toEqual([])
})

test('the hits do not wait for the counts', async () => {
  open('memory', { 'GET /api/search/counts': never })

  expect(await screen.findByRole('list', { name: 'Hits' })).toBeTruthy()
  expect(screen.getByRole('status', { name: 'Loading the counts' })).toBeTruthy()
})

test('a facet narrows the search, and once more widens it again', async () => {
  open('memory ns:payments')
  const facets = await screen.findByRole('navigation', { name: 'Narrow the search' })

  const shop = within(facets).getByRole('link', { name: /shop/ })
  const payments = within(facets).getByRole('link', { name: /payments/ })

  expect(hrefOf(shop)).toBe('memory ns:shop')
  expect(payments.getAttribute('aria-current')).toBe('true')
  expect(hrefOf(payments)).toBe('memory')
})

test('what was not counted to the end says so', async () => {
  open('memory')
  const facets = await screen.findByRole('navigation', { name: 'Narrow the search' })

  expect(within(facets).getByRole('link', { name: 'Logs 1,204+' })).toBeTruthy()
  expect(screen.getByText(/500,000 lines counted/)).toBeTruthy()
})

test('arrows go from the box through the hits and back, Escape goes to the box', async () => {
  open('memory')
  const list = await screen.findByRole('list', { name: 'Hits' })
  const [first, second] = within(list).getAllByRole('button')
  const box = screen.getByRole('searchbox')
  expect(document.activeElement).toBe(box)

  await userEvent.keyboard('{ArrowDown}')
  expect(document.activeElement).toBe(first)
  await userEvent.keyboard('{ArrowDown}')
  expect(document.activeElement).toBe(second)
  await userEvent.keyboard('{ArrowUp}{ArrowUp}')
  expect(document.activeElement).toBe(box)
  await userEvent.keyboard('{ArrowDown}{Escape}')
  expect(document.activeElement).toBe(box)
})

test('Enter opens a hit in place and Escape closes it', async () => {
  open('memory')
  const list = await screen.findByRole('list', { name: 'Hits' })
  const [first] = within(list).getAllByRole('button')

  first?.focus()
  await userEvent.keyboard('{Enter}')
  expect(within(list).getByRole('link', { name: 'Open INC-3' })).toBeTruthy()
  await userEvent.keyboard('{Escape}')

  expect(within(list).queryByRole('link', { name: 'Open INC-3' })).toBeNull()
  expect(document.activeElement).toBe(first)
})

test('bars are one tab stop with arrows inside, and say what they hold', async () => {
  open('memory')
  const bars = within(await screen.findByRole('group', { name: 'Bars' })).getAllByRole('button')
  const stops = () => bars.filter((bar) => bar.tabIndex === 0)
  expect(stops()).toEqual([bars[0]])

  bars[0]?.focus()
  await userEvent.keyboard('{ArrowRight}')

  expect(document.activeElement).toBe(bars[1])
  expect(bars.at(-1)?.getAttribute('aria-label')).toMatch(/10 hits, 2 errors$/)
  expect(bars[0]?.getAttribute('aria-label')).toMatch(/0 hits, not all counted$/)
})

test('nothing found within the bound offers to look further back', async () => {
  open('nothing')

  const further = await screen.findByRole('link', { name: 'Look further back' })
  expect(further.getAttribute('href')).toMatch(/q=nothing&after=further$/)
  expect(screen.getByText(/50,000 lines read one by one, back to/)).toBeTruthy()
})

test('a search that makes no sense says what would', async () => {
  open('level:loud', {
    'GET /api/search': () => problem(422, 'Invalid', 'level:loud is no level'),
    'GET /api/search/counts': () => problem(422, 'Invalid', 'level:loud is no level'),
  })

  expect((await screen.findAllByText('level:loud is no level')).length).toBeGreaterThan(0)
})

test('hostile text is shown as text, with the words marked', async () => {
  open('out of')

  expect(await screen.findByText(/<script>alert/)).toBeTruthy()
  expect((await screen.findAllByText('out', { selector: 'mark' })).length).toBeGreaterThan(0)
})
