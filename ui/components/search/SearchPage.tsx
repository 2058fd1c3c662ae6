'use client'

import { useQuery } from '@tanstack/react-query'
import { Search } from 'lucide-react'
import { useRouter, useSearchParams } from 'next/navigation'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { searchQuery } from '@/lib/api/queries'
import type { HitKind } from '@/lib/api/types'
import { HITS } from '@/lib/labels'
import { Operators } from './Operators'
import { Results } from './Results'

const TYPING_MS = 250

/** One box over logs, events, incidents, runbooks and changes; the address holds the question. */
export function SearchPage() {
  const params = useSearchParams()
  const q = params.get('q') ?? ''
  const kind = HITS.find((each) => each === params.get('kind')) ?? null
  const query = useQuery({ ...searchQuery(q), enabled: q.trim() !== '' })
  return (
    <>
      <SearchBox key={q === '' ? 'empty' : 'asked'} q={q} kind={kind} />
      <Operators />
      <div className="mt-3">
        {q.trim() === '' ? (
          <div className="rounded-card border bg-panel">
            <Empty title="Ask for anything that was logged, said or changed" icon={<Search className="size-5 text-fg-3" aria-hidden />}>
              A pod’s name, an error, a request id. Words find what means the same, too.
            </Empty>
          </div>
        ) : (
          <div aria-busy={query.isPlaceholderData} className="overflow-clip rounded-card border bg-panel aria-busy:opacity-60">
            <Loaded query={query} what="the hits" skeleton={<RowSkeletons rows={8} height="h-14" />}>
              {(found) => <Results q={q} kind={kind} found={found} />}
            </Loaded>
          </div>
        )}
      </div>
    </>
  )
}

interface SearchBoxProps {
  q: string
  kind: HitKind | null
}

function SearchBox({ q, kind }: SearchBoxProps) {
  const [text, setText] = useState(q)
  const router = useRouter()
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(typing.current), [])

  function ask(next: string, isKept: boolean): void {
    clearTimeout(typing.current)
    const params = new URLSearchParams(next.trim() ? { q: next } : {})
    if (kind) params.set('kind', kind)
    const address = params.size === 0 ? '/search/' : `/search/?${params}`
    if (isKept) router.push(address)
    else router.replace(address, { scroll: false })
  }

  function onType(next: string): void {
    setText(next)
    clearTimeout(typing.current)
    typing.current = setTimeout(() => ask(next, false), TYPING_MS)
  }

  function onSubmit(event: FormEvent): void {
    event.preventDefault()
    ask(text, true)
  }

  return (
    <form role="search" onSubmit={onSubmit} className="relative">
      <Search className="pointer-events-none absolute top-3.5 left-3 size-4 text-fg-3" aria-hidden />
      <input
        type="search"
        value={text}
        onChange={(event) => onType(event.target.value)}
        aria-label="Search"
        placeholder="Search logs, events, incidents, runbooks, changes"
        autoComplete="off"
        spellCheck={false}
        ref={focus}
        maxLength={500}
        className="h-11 w-full rounded-card border border-line-strong bg-panel pr-3 pl-9 text-lead placeholder:text-fg-3"
      />
    </form>
  )
}

function focus(input: HTMLInputElement | null): void {
  input?.focus()
}
