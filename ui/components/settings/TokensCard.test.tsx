import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi, problem } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { TokensCard } from './TokensCard'

const tokens = make.tokens((Date.now() - 60_000) * 1000) // a minute more than full hours and days
const [maya] = tokens
const SECRET = 'opens-nothing-but-this-test'
const me = (role: string, name = 'ada') => ({ name, role, via: 'token', has_session: true })

function openCard(more: Parameters<typeof fakeApi>[0] = {}) {
  const asked = fakeApi({ 'GET /api/me': me('admin'), 'GET /api/tokens': tokens, ...more })
  show(<TokensCard />)
  return asked
}

async function fillIn(name: string, kind: string) {
  await userEvent.click(await screen.findByRole('button', { name: 'New token' }))
  await userEvent.type(screen.getByLabelText('Whose it is'), name)
  await userEvent.selectOptions(screen.getByLabelText('What it opens'), kind)
  await userEvent.type(screen.getByLabelText('Why? (optional)'), 'on call')
  await userEvent.click(screen.getByRole('button', { name: 'Make token' }))
}

test.each(['viewer', 'responder'])('a %s sees nothing of it, and nothing is asked for', async (role) => {
  const asked = openCard({ 'GET /api/me': me(role) })

  await waitFor(() => expect(asked.map(({ route }) => route)).toEqual(['GET /api/me']))

  expect(screen.queryByRole('region')).toBeNull()
})

test('an admin sees whose tokens there are, and which are closed', async () => {
  openCard()

  const open = within(await screen.findByRole('list', { name: 'Open tokens' })).getAllByRole('listitem')

  expect(open.map((row) => row.textContent)).toEqual([
    expect.stringMatching(/^maya responderMade 3d ago by root by command · last used 2h ago · expires /),
    expect.stringMatching(/^fluent-bit sender.* does not expireRevoke$/),
  ])
  const closed = screen.getByRole('list', { name: 'Closed tokens', hidden: true })
  expect(closed.textContent).toMatch(/tom responder.*never used · revoked 1d ago$/)
})

test('a new token is shown once, to be copied', async () => {
  userEvent.setup() // brings a clipboard
  const asked = openCard({ 'POST /api/tokens': { token: maya, secret: SECRET } })

  await fillIn('Maya', 'responder')

  expect(await screen.findByText(SECRET)).toBeTruthy()
  await userEvent.click(screen.getByRole('button', { name: 'Copy token' }))
  expect(await navigator.clipboard.readText()).toBe(SECRET)
  expect(asked.find(({ route }) => route === 'POST /api/tokens')?.body).toEqual({
    name: 'Maya',
    role: 'responder',
    expires: '30d',
    reason: 'on call',
  })
  await userEvent.click(screen.getByRole('button', { name: 'Done' }))
  expect(document.body.innerHTML).not.toContain(SECRET)
  await userEvent.click(screen.getByRole('button', { name: 'New token' }))
  expect(document.body.innerHTML).not.toContain(SECRET)
})

test('a token of a sender has no role, and no link to sign in with', async () => {
  const asked = openCard({ 'POST /api/tokens': { token: tokens[1], secret: SECRET } })

  await fillIn('fluent-bit', 'sender')

  await screen.findByText(SECRET)
  expect(screen.queryByRole('button', { name: 'Copy sign-in link' })).toBeNull()
  expect(asked.find(({ route }) => route === 'POST /api/tokens')?.body).toMatchObject({ role: null })
})

test('why there is no new token is said where it was asked for', async () => {
  openCard({ 'POST /api/tokens': () => problem(409, 'Conflict', 'maya has a token already') })

  await fillIn('maya', 'viewer')

  expect((await screen.findByRole('alert')).textContent).toBe('maya has a token already')
  expect(screen.getByLabelText<HTMLInputElement>('Whose it is').value).toBe('maya')
})

test('a token is revoked once that is confirmed, with the reason', async () => {
  const asked = openCard({ [`POST /api/tokens/${maya?.id}/revoke`]: { ...maya, state: 'revoked' } })
  await userEvent.click(await screen.findByRole('button', { name: 'Revoke the token of maya' }))
  expect(document.activeElement?.textContent).toBe('Cancel')
  await userEvent.type(screen.getByLabelText('Why? (optional)'), 'left the team')

  await userEvent.click(screen.getByRole('button', { name: 'Revoke token' }))

  await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull())
  expect(asked.filter(({ route }) => route.startsWith('POST'))).toEqual([
    { route: `POST /api/tokens/${maya?.id}/revoke`, body: { reason: 'left the team' } },
  ])
})

test.each([
  ['maya', true],
  ['ada', false],
])('who revokes the token they came in with is warned (%s)', async (name, isWarned) => {
  openCard({ 'GET /api/me': me('admin', name) })

  await userEvent.click(await screen.findByRole('button', { name: 'Revoke the token of maya' }))

  expect(screen.queryByText(/you will be signed out/) !== null).toBe(isWarned)
})
