'use client'

import { useQuery } from '@tanstack/react-query'
import { Search } from 'lucide-react'
import { useSearchParams } from 'next/navigation'
import { type KeyboardEvent, useEffect, useRef } from 'react'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { useActions } from '@/lib/actions'
import { searchQuery } from '@/lib/api/queries'
import { Counts } from './Counts'
import { Operators } from './Operators'
import { Results } from './Results'
import { SearchBox } from './SearchBox'

/** One box over logs, events, incidents, runbooks and changes; the address holds the question and
 * the page. Keys: `/` to the box, arrows through the hits, Enter opens, Escape goes back. */
export function SearchPage() {
  const params = useSearchParams()
  const q = params.get('q') ?? ''
  const after = params.get('after') ?? ''
  const box = useRef<HTMLInputElement>(null)
  const hits = useRef<HTMLDivElement>(null)
  const isAsked = q.trim() !== ''
  const query = useQuery({ ...searchQuery(q, after), enabled: isAsked })
  useEffect(() => box.current?.focus(), [])
  useActions([
    { id: 'search', title: 'Write a search', group: 'Go to', keys: '/', run: () => box.current?.select() },
  ])

  function onKeyDown(event: KeyboardEvent): void {
    if (!hits.current || event.defaultPrevented) return
    if (event.key === 'Escape') {
      event.preventDefault()
      const open = hits.current.querySelector<HTMLElement>('[data-hit][aria-expanded="true"]')
      if (open) {
        open.click()
        open.focus()
      } else box.current?.focus()
    }
    const next = neighbour(hits.current, event.key)
    if (next === undefined) return
    event.preventDefault()
    ;(next ?? box.current)?.focus()
  }

  return (
    <>
      <SearchBox q={q} box={box} onDown={() => hits.current?.querySelector<HTMLElement>('[data-hit]')?.focus()} />
      <Operators />
      {isAsked ? (
        <div className="mt-3 grid grid-cols-[minmax(0,1fr)] items-start gap-3 lg:grid-cols-[15rem_minmax(0,1fr)]">
          <Counts q={q} />
          {/* oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- the arrows of the buttons inside */}
          <div
            ref={hits}
            onKeyDown={onKeyDown}
            aria-busy={query.isPlaceholderData}
            className="overflow-clip rounded-card border bg-panel aria-busy:opacity-60 lg:col-start-2"
          >
            <Loaded query={query} what="the hits" skeleton={<RowSkeletons rows={8} height="h-14" />}>
              {(found) => <Results q={q} after={after} found={found} />}
            </Loaded>
          </div>
        </div>
      ) : (
        <div className="mt-3 rounded-card border bg-panel">
          <Empty
            title="Ask for anything that was logged, said or changed"
            icon={<Search className="size-5 text-fg-3" aria-hidden />}
          >
            A pod’s name, an error, a request id. Words find what means the same, too.
          </Empty>
        </div>
      )}
    </>
  )
}

/** The hit that an arrow leads to from the one with the focus; null: up, out of the list. */
function neighbour(list: HTMLElement, key: string): HTMLElement | null | undefined {
  const step = { ArrowDown: 1, ArrowUp: -1 }[key]
  if (step === undefined) return undefined
  const hits = [...list.querySelectorAll<HTMLElement>('[data-hit]')]
  const at = hits.findIndex((hit) => hit === document.activeElement)
  if (at < 0) return undefined
  return at + step < 0 ? null : hits[at + step]
}
