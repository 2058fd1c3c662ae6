import { useEffect, useRef } from 'react'

/** Whatever a key or the command menu can do; both read this one table. */
export interface Action {
  id: string
  title: string
  group: 'Go to' | 'Incident' | 'View'
  /** One key, or two pressed after each other: `a`, `g c`. */
  keys: string
  run: () => void
  /** Why it cannot be done now; empty where it can. */
  disabledReason?: string
}

const offered = new Map<symbol, Action[]>()

/** All that can be done now, the page's own first. */
export function allActions(): Action[] {
  return [...offered.values()].toReversed().flat()
}

/** Offers actions for as long as the component is on screen. */
export function useActions(actions: Action[]): void {
  const owner = useRef<symbol>(undefined)
  useEffect(() => {
    owner.current ??= Symbol('actions')
    offered.set(owner.current, actions)
  })
  useEffect(
    () => () => {
      if (owner.current) offered.delete(owner.current)
    },
    [],
  )
}

const SEQUENCE_MS = 1200
let pending = { key: '', at: 0 }

/** Runs the action of a key press; keys do nothing while somebody types or decides. */
export function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.repeat || isTyping(event.target) || isDeciding()) return
  const sequence = event.timeStamp - pending.at < SEQUENCE_MS ? `${pending.key} ${event.key}` : ''
  pending = { key: event.key, at: event.timeStamp }
  const actions = allActions()
  const found =
    actions.find((each) => each.keys === sequence) ?? actions.find((each) => each.keys === event.key)
  if (!found) return
  event.preventDefault()
  if (!found.disabledReason) found.run()
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName)
}

function isDeciding(): boolean {
  return document.querySelector('[role="dialog"], [role="alertdialog"]') !== null
}
