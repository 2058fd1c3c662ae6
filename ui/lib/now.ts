import { useSyncExternalStore } from 'react'

/** The server's clock, told once a second to whatever shows a running time. */

let offsetMs = 0
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

/** Times come from the server, so the difference of the two clocks must not show. */
export function setServerNow(nowUs: number): void {
  offsetMs = nowUs / 1000 - Date.now()
  for (const listener of listeners) listener()
}

/** Epoch microseconds of the server's clock, to the whole second. */
export function serverNow(): number {
  return Math.floor((Date.now() + offsetMs) / 1000) * 1_000_000
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    for (const each of listeners) each()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** Ticks each second; 0 while prerendering, when there is no time yet. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, serverNow, () => 0)
}
