'use client'

import { clsx } from 'clsx'
import {
  BookOpen,
  ChevronDown,
  FileText,
  GitCommitHorizontal,
  type LucideIcon,
  Radio,
  Siren,
} from 'lucide-react'
import { useState } from 'react'
import { Badge } from '@/components/ui/Badge'
import { Time } from '@/components/ui/Time'
import type { Hit, HitKind } from '@/lib/api/types'
import { levelTone } from '@/lib/labels'
import { HitBody } from './HitBody'
import { Lit } from './Lit'

const ICON: Record<HitKind, LucideIcon> = {
  log: FileText,
  event: Radio,
  incident: Siren,
  runbook: BookOpen,
  change: GitCommitHorizontal,
}

/** One hit; it opens in place, a log line among its neighbours. */
export function HitItem({ hit, words }: { hit: Hit; words: string[] }) {
  const [isOpen, setOpen] = useState(false)
  const Icon = ICON[hit.kind]
  const place = [hit.namespace, hit.app].filter((part) => part && part !== '*').join('/')
  // What a line says is all there is to it; where it comes from stands below.
  const isLine = hit.kind === 'log' && hit.snippet !== ''
  const title = isLine ? hit.snippet : hit.title
  return (
    <li>
      <button
        type="button"
        data-hit
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        className="grid w-full grid-cols-[1rem_minmax(0,1fr)_1rem] items-start gap-x-2.5 px-3 py-2 text-left hover:bg-raised"
      >
        <Icon className="mt-0.5 size-3.5 text-fg-3" aria-hidden />
        <span className="min-w-0">
          <span className={clsx('block break-words', hit.kind === 'log' ? 'mono text-meta' : 'font-medium')}>
            <Lit text={title} words={words} />
          </span>
          {hit.snippet && hit.snippet !== title && (
            <span className="mt-0.5 line-clamp-2 block text-meta break-words text-fg-2">
              <Lit text={hit.snippet} words={words} />
            </span>
          )}
          <span className="mt-0.5 flex flex-wrap items-center gap-x-2 text-meta text-fg-3">
            {hit.level && <Badge tone={levelTone(hit.level)}>{hit.level}</Badge>}
            <span>{hit.kind}</span>
            {place && <span className="mono break-all">{place}</span>}
            {isLine && hit.title !== hit.namespace && <span className="mono break-all">{hit.title}</span>}
            {hit.ts_us > 0 && <Time us={hit.ts_us} />}
          </span>
        </span>
        <ChevronDown className={clsx('mt-0.5 size-4 text-fg-3 transition-transform', isOpen && 'rotate-180')} aria-hidden />
      </button>
      {isOpen && (
        <div className="border-t bg-bg">
          <HitBody hit={hit} />
        </div>
      )}
    </li>
  )
}
