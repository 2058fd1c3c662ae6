import type { RoomView } from './api/types'

/** Where the source of evidence can be opened. */
export type Source =
  | { kind: 'log'; address: string }
  | { kind: 'incident'; id: number }
  | { kind: 'stored' }

/** `log:12:340` is a line among its neighbours, `incident:7` a room; the rest is kept whole in the body. */
export function openSource(source: string): Source {
  const log = /^log:(\d+:\d+)$/.exec(source)
  if (log?.[1]) return { kind: 'log', address: log[1] }
  const incident = /^incident:(\d+)$/.exec(source)
  if (incident?.[1]) return { kind: 'incident', id: Number(incident[1]) }
  return { kind: 'stored' }
}

/** JSON with line breaks; anything else as it is. */
export function pretty(body: string): string {
  if (!/^\s*[[{]/.test(body)) return body
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}

/** Every evidence id that anything in the room cites. */
export function citations(room: RoomView): string[] {
  const statements = [
    ...room.summary,
    ...room.hypotheses.flatMap((each) => [...each.supporting, ...each.against]),
  ]
  return [
    ...statements.flatMap((each) => each.evidence),
    ...room.timeline.flatMap((each) => each.evidence),
    ...room.proposals.flatMap((each) => each.evidence),
  ]
}
