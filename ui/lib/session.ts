import { toast } from './toasts'

/** What shows the server that a change comes from a page of its own: other sites cannot send it. */
export const PROOF = { 'X-Requested-By': 'incident-copilot' }

/** Ends this browser's session, or all of the person; then the server asks who one is. Who could not be signed out is told so. */
export async function signOut(everywhere: boolean): Promise<void> {
  const path = `/session/end${everywhere ? '?everywhere=1' : ''}`
  const answer = await fetch(path, { method: 'POST', headers: PROOF }).catch(() => null)
  if (answer?.ok || answer?.status === 401) location.assign('/')
  else toast('You are still signed in: the server could not end it. Try again', { isError: true })
}

const RELOADED = 'copilot.signed-out'

/** The server shows its sign-in page here, and leads back; at most once in ten seconds, so as never to loop. */
export function signInAgain(): void {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0)
  if (Date.now() - last < 10_000) return
  sessionStorage.setItem(RELOADED, String(Date.now()))
  location.reload()
}
