import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi, never, problem } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { RoomOf } from './RoomPage'

const NOW = Date.now() * 1000
const room = make.room(NOW)

function openRoom(more: Parameters<typeof fakeApi>[0] = {}) {
  const asked = fakeApi({
    'GET /api/incidents/3': room,
    'GET /api/incidents/3/memory': { ...make.memory(NOW), lines: [], gap: 'no figures' },
    'GET /api/status': make.status(NOW),
    'GET /api/me': { name: 'maya', role: 'admin', via: 'token', has_session: true },
    'GET /api/logs': make.logs(NOW, '12:340'),
    ...more,
  })
  show(<RoomOf id={3} fix={NaN} />)
  return asked
}

test('while it is loading, the frame stands', () => {
  openRoom({ 'GET /api/incidents/3': never() })

  expect(screen.getByRole('status', { name: 'Loading the incident' })).toBeTruthy()
})

test('a failure says what failed, why, and its reference', async () => {
  openRoom({
    'GET /api/incidents/3': () => problem(500, 'Internal error', 'internal error', { reference: 'abc123' }),
  })

  const alert = await screen.findByRole('alert')
  expect(alert.textContent).toContain('Could not load the incident')
  expect(alert.textContent).toContain('abc123')
  expect(within(alert).getByRole('button', { name: 'Try again' })).toBeTruthy()
})

test('an incident that does not exist is said to be none', async () => {
  openRoom({ 'GET /api/incidents/3': () => problem(404, 'NotFound', 'there is no incident INC-3') })

  expect(await screen.findByText('There is no such incident')).toBeTruthy()
})

test('a room in which nothing is known yet says so', async () => {
  openRoom({
    'GET /api/incidents/3': { ...room, summary: [], hypotheses: [], proposals: [], evidence: [], timeline: [] },
  })

  expect(await screen.findByText('The detective is looking')).toBeTruthy()
  expect(screen.getByText('No evidence yet')).toBeTruthy()
})

test('the full room shows stage, hypotheses with the refuted one, and gaps', async () => {
  openRoom()

  expect(await screen.findByRole('heading', { level: 1, name: room.incident.title })).toBeTruthy()
  expect(screen.getByTestId('stage').textContent).toBe('Fix proposed')
  expect(within(screen.getByTestId('hypothesis-H3')).getByText('Refuted')).toBeTruthy()
  expect(screen.getByText('Logs of the container’s first life')).toBeTruthy()
})

test.each(make.OTHER_WORKLOADS)('the room of a $kind stands and names it', async (workload) => {
  const incident = { ...room.incident, workload, namespace: workload.namespace, app: workload.name }
  openRoom({ 'GET /api/incidents/3': { ...room, incident } })

  const place = workload.namespace ? `${workload.namespace}/${workload.name}` : workload.name
  expect(await screen.findByText(`${workload.kind} ${place} · demo`)).toBeTruthy()
  expect(await screen.findByText('No memory figures')).toBeTruthy()
})

test('every chip leads to evidence that is on the page', async () => {
  openRoom()
  await screen.findByTestId('stage')

  const chips = screen.getAllByRole('link', { name: /^E\d+$/ })
  expect(chips.length).toBeGreaterThan(8)
  for (const chip of chips) {
    expect(document.getElementById(chip.getAttribute('href')?.slice(1) ?? '')).not.toBeNull()
  }
})

test('a citation of nothing is no link', async () => {
  openRoom({ 'GET /api/incidents/3': { ...room, summary: [{ text: 'It was aliens.', evidence: ['E99'] }] } })
  await screen.findByText(/aliens/)

  expect(screen.queryByRole('link', { name: 'E99' })).toBeNull()
  expect(screen.getByText('E99')).toBeTruthy()
})

test('log evidence opens the exact line among its neighbours', async () => {
  openRoom()
  const item = await screen.findByTestId('evidence-E2')

  await userEvent.click(within(item).getByRole('button'))

  const line = await within(item).findByText((_, element) => element?.id === 'L12:340')
  expect(line.getAttribute('aria-current')).toBe('true')
  expect(within(item).getAllByRole('listitem').length).toBeGreaterThan(50)
})

test('approving asks first, with the focus on Cancel, and sends the digest that was seen', async () => {
  const approved = { ...make.proposal(NOW), status: 'approved' }
  const asked = openRoom({ 'POST /api/proposals/1/approve': { proposal: approved } })
  const fix = await screen.findByRole('region', { name: 'Proposed fix' })
  await userEvent.click(within(fix).getByRole('button', { name: /Approve and apply/ }))

  const dialog = await screen.findByRole('alertdialog', { name: 'Approve this change' })
  expect(dialog.textContent).toContain('Deployment shop/checkout')
  expect(dialog.textContent).toContain('limits.memory: 32Mi → 64Mi')
  expect(document.activeElement?.textContent).toBe('Cancel')
  await userEvent.click(within(dialog).getByRole('button', { name: 'Approve' }))

  await waitFor(() =>
    expect(asked).toContainEqual({
      route: 'POST /api/proposals/1/approve',
      body: { digest: 'a'.repeat(64), reason: '' },
    }),
  )
})

test('Enter on the open question changes nothing', async () => {
  const asked = openRoom()
  const fix = await screen.findByRole('region', { name: 'Proposed fix' })
  await userEvent.click(within(fix).getByRole('button', { name: /Approve and apply/ }))
  await screen.findByRole('alertdialog')

  await userEvent.keyboard('{Enter}')

  await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull())
  expect(asked.filter((each) => each.route.startsWith('POST'))).toEqual([])
})

test('an approval that comes too late says why and shows the new diff', async () => {
  const newer = { ...make.proposal(NOW), id: 1, diff: '@@ -1 +1 @@\n-memory: 48Mi\n+memory: 96Mi', digest: 'c'.repeat(64) }
  openRoom({
    'GET /api/incidents/3': () => ({ ...room, proposals: [newer] }),
    'POST /api/proposals/1/approve': () =>
      problem(409, 'Conflict', 'proposal p-1 changed since it was shown; review it again', { proposal: newer }),
  })
  const fix = await screen.findByRole('region', { name: 'Proposed fix' })
  await userEvent.click(within(fix).getByRole('button', { name: /Approve and apply/ }))
  await userEvent.click(within(await screen.findByRole('alertdialog')).getByRole('button', { name: 'Approve' }))

  expect((await screen.findByRole('alert')).textContent).toContain('review it again')
  expect(await screen.findByText('96Mi')).toBeTruthy()
})

test('what the dry run did not accept cannot be approved, and says so', async () => {
  const refused = { ...make.proposal(NOW), dry_run_accepted: false, dry_run_message: 'quota exceeded' }
  openRoom({ 'GET /api/incidents/3': { ...room, proposals: [refused] } })
  const fix = await screen.findByRole('region', { name: 'Proposed fix' })

  const approve = within(fix).getByRole('button', { name: /Approve and apply/ })

  expect(approve.hasAttribute('disabled')).toBe(true)
  expect(fix.textContent).toContain('The cluster has not accepted it in a dry run.')
  expect(fix.textContent).toContain('quota exceeded')
})

test('a resolved incident shows its time to resolve, and no buttons to resolve it', async () => {
  const ended = { ...make.resolved(NOW), id: 3 }
  openRoom({ 'GET /api/incidents/3': { ...room, incident: ended, stage: 'Resolved in 58 s' } })

  expect((await screen.findByTestId('mttr')).textContent).toBe('58s')
  expect(screen.queryByRole('button', { name: /^Resolve/ })).toBeNull()
})

test('markup from the cluster stays text', async () => {
  openRoom({
    'GET /api/incidents/3': { ...room, incident: { ...room.incident, title: '<img src=x onerror=alert(1)>' } },
  })

  expect(await screen.findByRole('heading', { name: '<img src=x onerror=alert(1)>' })).toBeTruthy()
  expect(document.querySelector('h1 img')).toBeNull()
})
