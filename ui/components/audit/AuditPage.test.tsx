import { screen } from '@testing-library/react'
import { SearchParamsContext } from 'next/dist/shared/lib/hooks-client-context.shared-runtime'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { AuditPage } from './AuditPage'

const NOW = Date.now() * 1000

function open(broken: string[]) {
  fakeApi({ 'GET /api/audit': { ...make.audit(NOW), whole_us: NOW - 750_000_000, broken } })
  show(
    <SearchParamsContext value={new URLSearchParams()}>
      <AuditPage />
    </SearchParamsContext>,
  )
}

test('a log that adds up says when it was read from the beginning and up to when', async () => {
  open([])

  const said = await screen.findByText(/All 4 entries add up as far as they were read/)

  expect(said.textContent).toMatch(/from the beginning 12m ago, what was added since then at \d\d:\d\d/)
  expect(said.textContent).toContain('incident-copilot audit verify')
})

test('a log that was tampered with does not say that it adds up', async () => {
  open(['incident-1'])

  expect((await screen.findByRole('alert')).textContent).toContain('incident-1')
  expect(screen.queryByText(/entries add up/)).toBeNull()
})
