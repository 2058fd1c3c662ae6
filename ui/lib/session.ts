/** What shows the server that a change comes from a page of its own: other sites cannot send it. */
export const PROOF = { 'X-Requested-By': 'incident-copilot' }

/** Ends this browser's session, or all of the person; then the server asks who one is. */
export async function signOut(everywhere: boolean): Promise<void> {
  await fetch(`/session/end${everywhere ? '?everywhere=1' : ''}`, { method: 'POST', headers: PROOF })
  location.assign('/')
}

const RELOADED = 'copilot.signed-out'

/** The server shows its sign-in page here, and leads back; at most once in ten seconds, so as never to loop. */
export function signInAgain(): void {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0)
  if (Date.now() - last < 10_000) return
  sessionStorage.setItem(RELOADED, String(Date.now()))
  location.reload()
}
