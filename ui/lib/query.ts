/** The text of a search as people write it: operators are put in and taken out of it. */

const QUOTED_OR_WORD = /-?(?:[A-Za-z]+:)?(?:"[^"]*"?|\S+)/g

function termsOf(q: string): string[] {
  return q.match(QUOTED_OR_WORD) ?? []
}

function isOf(term: string, keys: string[]): boolean {
  const lower = term.toLowerCase()
  return keys.some((key) => lower.startsWith(`${key}:`))
}

const SAME: Record<string, string[]> = { ns: ['ns', 'namespace'] }

/** What an operator says, of several the last; empty where it is not there. */
export function operatorOf(q: string, key: string): string {
  const keys = SAME[key] ?? [key]
  const found = termsOf(q).findLast((term) => isOf(term, keys)) ?? ''
  return found.slice(found.indexOf(':') + 1).replaceAll('"', '')
}

/** The search with this operator, in the place of what it said before; empty takes it out. */
export function withOperator(q: string, key: string, value: string): string {
  const keys = SAME[key] ?? [key]
  const others = termsOf(q).filter((term) => !isOf(term, keys))
  const written = /\s/.test(value) ? `"${value}"` : value
  return [...others, ...(value ? [`${key}:${written}`] : [])].join(' ')
}

/** The search narrowed to a range of time, ends included. */
export function within(q: string, sinceUs: number, untilUs: number): string {
  return withOperator(withOperator(q, 'since', moment(sinceUs)), 'until', moment(untilUs))
}

/** The search over all times. */
export function atAnyTime(q: string): string {
  return withOperator(withOperator(q, 'since', ''), 'until', '')
}

/** `2026-11-27T17:53:10Z`; fractions only where there are any. */
function moment(us: number): string {
  return new Date(us / 1000).toISOString().replace('.000Z', 'Z')
}

export function searchHref(q: string, after = ''): string {
  const params = new URLSearchParams({ ...(q.trim() && { q }), ...(after && { after }) })
  return params.size === 0 ? '/search/' : `/search/?${params}`
}
