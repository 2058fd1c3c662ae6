import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import type { PullRequestView } from '@/lib/api/types'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { PullRequest } from './PullRequest'

const NOW = Date.now() * 1000
const pull: PullRequestView = {
  repository: 'acme/cluster',
  base: 'main',
  files: ['apps/shop.yaml'],
  diff: '--- a/apps/shop.yaml\n+++ b/apps/shop.yaml\n@@ -1 +1 @@\n-memory: 32Mi\n+memory: 64Mi',
  notes: ['base/shop.yaml is also used by overlays/staging'],
  stage: 'planned',
  number: null,
  url: '',
  branch: '',
  can_merge: false,
}

function open(more: Partial<PullRequestView>) {
  const shown = { ...pull, ...more }
  const proposal = { ...make.proposal(NOW), pull_request: shown }
  const asked = fakeApi({ [`POST /api/proposals/${proposal.id}/merge`]: proposal })
  show(<PullRequest incidentId={3} proposal={proposal} pull={shown} />)
  return asked
}

test('before it is open it shows the file, its lines, and who else uses it', () => {
  open({})

  const said = screen.getByRole('region', { name: 'Pull request' }).textContent
  expect(said).toContain('Pull request to acme/cluster')
  expect(said).toContain('apps/shop.yaml')
  expect(said).toContain('memory: 64Mi')
  expect(said).toContain('also used by overlays/staging')
  expect(screen.queryByRole('button')).toBeNull()
})

test.each([
  ['open', 'Waiting for its merge'],
  ['merged', 'Merged, not in the cluster yet'],
  ['rolling_out', 'Rolling out'],
  ['verified', 'Verified'],
  ['closed', 'Closed without a merge'],
] as const)('a pull request that is %s says so', (stage, label) => {
  open({ stage, number: 7, branch: 'incident-copilot/shop-7-0123456789ab' })

  expect(screen.getByText(label)).toBeTruthy()
  expect(screen.getByText('acme/cluster #7')).toBeTruthy()
})

test('it links to its page, and to nothing else', () => {
  open({ number: 7, url: 'https://github.example/acme/cluster/pull/7' })

  expect(screen.getByRole('link').getAttribute('href')).toBe('https://github.example/acme/cluster/pull/7')
})

test('an address that is none is shown as no link', () => {
  open({ number: 7, url: 'javascript:alert(1)' })

  expect(screen.queryByRole('link')).toBeNull()
})

test('in the simulation it is merged from here', async () => {
  const asked = open({ stage: 'open', number: 1, can_merge: true })

  await userEvent.click(screen.getByRole('button', { name: 'Merge (simulation)' }))

  expect(asked.some((each) => each.route.endsWith('/merge'))).toBe(true)
})
