'use client'

import { useQuery } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { logsQuery } from '@/lib/api/queries'
import type { LogLine } from '@/lib/api/types'
import { levelTone } from '@/lib/labels'
import { Empty, Loaded } from './States'
import { Time } from './Time'

/** The line at an address, marked and centred among its neighbours. */
export function LogWindow({ address }: { address: string }) {
  const query = useQuery(logsQuery(address))
  return (
    <Loaded query={query} what="the log lines" skeleton={<div className="skeleton m-3 h-56" />}>
      {(found) =>
        found.lines.length === 0 ? (
          <Empty title="No lines here any more" />
        ) : (
          <>
            <Origin line={found.lines.find((line) => line.address === address) ?? found.lines[0]} />
            <ol
              ref={centre}
              tabIndex={0}
              aria-label="Log lines around the one cited"
              className="relative max-h-64 overflow-auto bg-bg py-1 mono text-meta"
            >
              {found.lines.map((line) => (
                <Row key={line.address} line={line} isCited={line.address === address} />
              ))}
            </ol>
          </>
        )
      }
    </Loaded>
  )
}

function Origin({ line }: { line: LogLine | undefined }) {
  if (!line) return null
  return (
    <p className="border-b px-3 py-1.5 mono text-tiny break-all text-fg-3">
      {line.namespace}/{line.pod}/{line.container}
    </p>
  )
}

const LEVEL = { crit: 'text-crit', warn: 'text-warn', ok: '', info: '', idle: 'text-fg-3' } as const

function Row({ line, isCited }: { line: LogLine; isCited: boolean }) {
  return (
    <li
      id={`L${line.address}`}
      data-cited={isCited || undefined}
      aria-current={isCited || undefined}
      className={clsx(
        'grid w-max min-w-full grid-cols-[3.5rem_auto_3rem_1fr] gap-x-2 border-l-2 px-2 py-0.5',
        isCited ? 'border-warn-fill bg-mark' : 'border-transparent',
      )}
    >
      <span className={clsx('text-right', isCited ? 'text-fg-2' : 'text-fg-3')}>
        {line.address.split(':').at(-1)}
      </span>
      <Time us={line.ts_us} className={isCited ? 'text-fg-2' : 'text-fg-3'} />
      <span className={clsx('uppercase', isCited && levelTone(line.level) === 'idle' ? 'text-fg-2' : LEVEL[levelTone(line.level)])}>
        {line.level}
      </span>
      <span className="whitespace-pre">{line.body}</span>
    </li>
  )
}

/** Scrolls the box, not the page. */
function centre(list: HTMLElement | null): void {
  const cited = list?.querySelector<HTMLElement>('[data-cited]')
  if (!list || !cited) return
  list.scrollTop = cited.offsetTop - (list.clientHeight - cited.offsetHeight) / 2
}
