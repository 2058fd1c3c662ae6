'use client'

import { Search } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { type FormEvent, type KeyboardEvent, type RefObject, useEffect, useRef, useState } from 'react'
import { searchHref } from '@/lib/query'

const TYPING_MS = 250

interface SearchBoxProps {
  q: string
  box: RefObject<HTMLInputElement | null>
  /** To the first hit. */
  onDown: () => void
}

/** What is typed becomes the address shortly after; Enter keeps it in the history. */
export function SearchBox({ q, box, onDown }: SearchBoxProps) {
  const [text, setText] = useState(q)
  const [asked, setAsked] = useState(q)
  const router = useRouter()
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(typing.current), [])
  if (q !== asked) {
    // The address changed by itself: a facet, a bar, or back.
    setAsked(q)
    setText(q)
  }

  function ask(next: string, isKept: boolean): void {
    clearTimeout(typing.current)
    setAsked(next.trim() ? next : '')
    if (isKept) router.push(searchHref(next))
    else router.replace(searchHref(next), { scroll: false })
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

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'ArrowDown') {
      event.preventDefault()
      onDown()
    }
    if (event.key === 'Escape' && text === '') box.current?.blur()
  }

  return (
    <form role="search" onSubmit={onSubmit} className="relative">
      <Search className="pointer-events-none absolute top-3.5 left-3 size-4 text-fg-3" aria-hidden />
      <input
        ref={box}
        type="search"
        value={text}
        onChange={(event) => onType(event.target.value)}
        onKeyDown={onKeyDown}
        aria-label="Search"
        placeholder="Search logs, events, incidents, runbooks, changes"
        autoComplete="off"
        spellCheck={false}
        maxLength={500}
        className="h-11 w-full rounded-card border border-line-strong bg-panel pr-3 pl-9 text-lead placeholder:text-fg-3"
      />
    </form>
  )
}
