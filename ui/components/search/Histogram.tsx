'use client'

import { clsx } from 'clsx'
import { useRouter } from 'next/navigation'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { PageLink } from '@/components/ui/PageLink'
import { Time } from '@/components/ui/Time'
import type { Bar, SearchCounts } from '@/lib/api/types'
import { dateTime, number, plural } from '@/lib/format'
import { useZone } from '@/lib/preferences'
import { atAnyTime, searchHref, within } from '@/lib/query'

interface HistogramProps {
  q: string
  counted: SearchCounts['counted']
  isStale: boolean
}

/** Hits over time; a bar narrows to itself, dragging over several to all of them. One tab stop,
 * arrows inside. */
export function Histogram({ q, counted, isStale }: HistogramProps) {
  const { bars, bar_us: width, looked_back_to_us: lookedBackTo } = counted
  const [from, setFrom] = useState<number | null>(null)
  const [at, setAt] = useState(0)
  const group = useRef<HTMLDivElement>(null)
  const router = useRouter()
  useEffect(() => {
    const stop = () => setFrom(null)
    addEventListener('pointerup', stop)
    return () => removeEventListener('pointerup', stop)
  }, [])
  const first = bars[0]
  const last = bars.at(-1)
  if (!first || !last) return null
  const most = Math.max(1, ...bars.map((bar) => bar.n))
  const isNarrowed = atAnyTime(q) !== q.trim()

  function onChoose(one: number, other: number): void {
    const start = bars[Math.min(one, other)]
    const end = bars[Math.max(one, other)]
    if (start && end) router.push(searchHref(within(q, start.ts_us, end.ts_us + width - 1)), { scroll: false })
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const next = step && group.current?.querySelectorAll('button')[at + step]
    if (!next) return
    event.preventDefault()
    next.focus()
  }

  return (
    <section
      aria-label="Hits over time"
      aria-busy={isStale}
      className="rounded-card border bg-panel px-3 pt-3 pb-2 aria-busy:opacity-60 lg:col-start-2"
    >
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the arrows of the buttons inside */}
      <div
        ref={group}
        role="group"
        aria-label="Bars"
        onKeyDown={onKeyDown}
        className="flex h-16 touch-none items-end gap-px select-none"
      >
        {bars.map((bar, index) => (
          <BarButton
            key={bar.ts_us}
            bar={bar}
            most={most}
            isStop={index === Math.min(at, bars.length - 1)}
            isUnseen={bar.ts_us < lookedBackTo}
            isBrushed={from !== null && index >= Math.min(from, at) && index <= Math.max(from, at)}
            onFocus={() => setAt(index)}
            onDown={() => {
              setFrom(index)
              setAt(index)
            }}
            onEnter={() => from !== null && setAt(index)}
            onUp={() => from !== null && onChoose(from, index)}
            onKey={() => onChoose(index, index)}
          />
        ))}
      </div>
      <p className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 border-t pt-1.5 text-meta text-fg-3">
        <Time us={first.ts_us} />
        {lookedBackTo > 0 && (
          <span>
            {number(counted.scanned_lines)} lines counted, back to <Time us={lookedBackTo} />; older ones not
          </span>
        )}
        {isNarrowed && (
          <PageLink
            href={searchHref(atAnyTime(q))}
            scroll={false}
            className="flex items-center font-medium text-info underline max-sm:h-11"
          >
            All times
          </PageLink>
        )}
        <span className="ml-auto">
          <Time us={last.ts_us + width} />
        </span>
      </p>
    </section>
  )
}

interface BarButtonProps {
  bar: Bar
  most: number
  isStop: boolean
  /** Lines of that time were not counted. */
  isUnseen: boolean
  isBrushed: boolean
  onFocus: () => void
  onDown: () => void
  onEnter: () => void
  onUp: () => void
  onKey: () => void
}

function BarButton(props: BarButtonProps) {
  const { bar, most, isStop, isUnseen, isBrushed } = props
  const zone = useZone()
  const severe = bar.n_severe > 0 ? `, ${plural(bar.n_severe, 'error')}` : ''
  return (
    <button
      type="button"
      tabIndex={isStop ? 0 : -1}
      aria-label={`${dateTime(bar.ts_us, zone)}: ${plural(bar.n, 'hit')}${severe}${isUnseen ? ', not all counted' : ''}`}
      title={`${dateTime(bar.ts_us, zone)}: ${plural(bar.n, 'hit')}${severe}`}
      onFocus={props.onFocus}
      onPointerDown={(event) => {
        event.currentTarget.releasePointerCapture(event.pointerId)
        props.onDown()
      }}
      onPointerEnter={props.onEnter}
      onPointerUp={props.onUp}
      onClick={(event) => event.detail === 0 && props.onKey()}
      className={clsx(
        'flex h-full min-w-0 flex-1 flex-col justify-end rounded-xs hover:bg-raised',
        isBrushed && 'bg-raised',
        isUnseen && 'opacity-50',
      )}
    >
      <span className="rounded-t-xs bg-info-fill" style={{ height: share(bar.n - bar.n_severe, most) }} />
      <span className="bg-crit-fill" style={{ height: share(bar.n_severe, most) }} />
      {bar.n === 0 && <span className="h-px bg-line-strong" />}
    </button>
  )
}

function share(n: number, most: number): string {
  return `${n === 0 ? 0 : Math.max(3, (100 * n) / most)}%`
}
