import { useSyncExternalStore } from 'react'

const CHANGED = 'copilot:hash'

function subscribe(listener: () => void): () => void {
  for (const name of ['hashchange', 'popstate', CHANGED]) addEventListener(name, listener)
  return () => {
    for (const name of ['hashchange', 'popstate', CHANGED]) removeEventListener(name, listener)
  }
}

/** What the address says after `#`; it names the one piece of evidence that is open. */
export function useHash(): string {
  return useSyncExternalStore(
    subscribe,
    () => location.hash.slice(1),
    () => '',
  )
}

export function setHash(hash: string): void {
  const address = hash ? `#${hash}` : location.pathname + location.search
  history.pushState(null, '', address)
  dispatchEvent(new Event(CHANGED))
}
