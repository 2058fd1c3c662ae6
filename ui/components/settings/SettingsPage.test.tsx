import { screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { SettingsPage } from './SettingsPage'

const NOW = Date.now() * 1000

test.each([
  ['laptop', "as admin, with the co-pilot's own access token"],
  ['token', 'as admin, with a personal access token'],
  ['login.example.com', 'as admin, through login.example.com'],
])('how one signed in is said in plain words (%s)', async (via, said) => {
  fakeApi({
    'GET /api/me': { name: 'maya', role: 'admin', via, has_session: true },
    'GET /api/status': make.status(NOW),
    'GET /api/database': make.database(),
    'GET /api/set-aside': make.setAside(NOW),
    'GET /api/chaos': make.chaos(),
    'GET /api/tokens': make.tokens(NOW),
  })

  show(<SettingsPage />)

  expect(await screen.findByText(said)).toBeTruthy()
})
