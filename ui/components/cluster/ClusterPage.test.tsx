import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi, problem } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { ClusterPage } from './ClusterPage'

const NOW = Date.now() * 1000

function open(more: Parameters<typeof fakeApi>[0] = {}) {
  fakeApi({
    'GET /api/cluster': make.cluster(NOW),
    'GET /api/status': make.status(NOW),
    'GET /api/changes': make.changes(NOW),
    'GET /api/incidents': { rows: make.incidentRows(NOW).slice(0, 2), next_before_id: null, open: 2, resolved: 1 },
    ...more,
  })
  show(<ClusterPage />)
}

test('the figures on top are those of the map', async () => {
  open()
  const map = await screen.findByRole('group', { name: 'Pods by namespace' })

  const unhealthy = within(map).getAllByRole('button', { name: /Failing|Degraded/ })
  const figure = screen.getByText('Unhealthy pods').nextElementSibling
  expect(figure?.firstElementChild?.textContent).toBe(String(unhealthy.length))
})

test('the map is one tab stop with arrows inside', async () => {
  open()
  const map = await screen.findByRole('group', { name: 'Pods by namespace' })
  const [first, second] = within(map).getAllByRole('button')
  const stops = () => within(map).getAllByRole('button').filter((cell) => cell.tabIndex === 0)
  expect(stops()).toEqual([first])

  first?.focus()
  await userEvent.keyboard('{ArrowRight}')

  expect(document.activeElement).toBe(second)
  expect(stops()).toEqual([second])
})

test('an incident of a node, which has no namespace, says which node', async () => {
  const workload = make.OTHER_WORKLOADS.find((one) => one.kind === 'Node') ?? make.WORKLOAD
  const [row] = make.incidentRows(NOW)
  const incident = { ...make.incident(NOW), workload, namespace: '', app: '' }
  open({ 'GET /api/incidents': { rows: [{ ...row, incident }], next_before_id: null, open: 1, resolved: 0 } })

  expect((await screen.findAllByText('Node worker-2')).length).toBeGreaterThan(0)
})

test('a change before an incident says so', async () => {
  open()

  expect(await screen.findByText('2m 28s before INC-3')).toBeTruthy()
})

test('a cluster that cannot be read says why, and the rest stays', async () => {
  open({ 'GET /api/cluster': () => problem(403, 'Refused', 'your token may not read this') })

  expect(await screen.findByText('You may not see the cluster')).toBeTruthy()
  expect(await screen.findByText('Active incidents')).toBeTruthy()
})

test('a first look at the cluster is said to be one', async () => {
  const none = { ...make.cluster(NOW), namespaces: [], is_synced: false }
  open({ 'GET /api/cluster': none })

  expect(await screen.findByText('Taking a first look at the cluster')).toBeTruthy()
})
