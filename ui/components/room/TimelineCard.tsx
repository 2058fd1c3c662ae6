'use client'

import { clsx } from 'clsx'
import {
  BellRing,
  BookOpen,
  Bot,
  CheckCircle2,
  Flag,
  GitCommitHorizontal,
  type LucideIcon,
  MessageSquare,
  Radio,
  Send,
  Siren,
  UserCheck,
  Wrench,
} from 'lucide-react'
import { Card } from '@/components/ui/Card'
import { Empty } from '@/components/ui/States'
import { Time } from '@/components/ui/Time'
import type { EntryKind, TimelineEntry } from '@/lib/api/types'
import { byTime } from '@/lib/deltas'
import { plural } from '@/lib/format'
import { Chips } from './Chip'
import { NoteForm } from './NoteForm'

interface TimelineCardProps {
  incidentId: number
  timeline: TimelineEntry[]
}

/** What happened, by the time it happened. */
export function TimelineCard({ incidentId, timeline }: TimelineCardProps) {
  return (
    <Card title="Timeline" aside={plural(timeline.length, 'entry', 'entries')} className="order-6 self-start lg:order-none lg:w-full">
      {timeline.length === 0 ? (
        <Empty title="Nothing yet" />
      ) : (
        <ol className="relative px-3 pt-3">
          {byTime(timeline).map((entry) => (
            <Entry key={entry.seq} entry={entry} />
          ))}
        </ol>
      )}
      <NoteForm incidentId={incidentId} />
    </Card>
  )
}

const LOOK: Record<EntryKind, { icon: LucideIcon; look: string }> = {
  signal: { icon: Radio, look: 'text-crit border-crit/60' },
  change: { icon: GitCommitHorizontal, look: 'text-info' },
  opened: { icon: Siren, look: 'text-crit border-crit/60' },
  alert: { icon: BellRing, look: 'text-crit border-crit/60' },
  finding: { icon: Bot, look: 'text-fg-2' },
  runbook: { icon: BookOpen, look: 'text-fg-2' },
  proposal: { icon: Bot, look: 'text-fg-2' },
  approval: { icon: UserCheck, look: 'text-info' },
  action: { icon: Wrench, look: 'text-ok border-ok/60' },
  verification: { icon: CheckCircle2, look: 'text-ok border-ok/60' },
  notification: { icon: Send, look: 'text-fg-2' },
  status: { icon: Flag, look: 'text-fg-2' },
  note: { icon: MessageSquare, look: 'text-info' },
}

function Entry({ entry }: { entry: TimelineEntry }) {
  const { icon: Icon, look } = LOOK[entry.kind]
  return (
    <li className="appear relative grid grid-cols-[1.5rem_minmax(0,1fr)] gap-x-2.5 pb-4 before:absolute before:top-6 before:bottom-0 before:left-3 before:w-px before:bg-line last:before:hidden">
      <span aria-hidden className={clsx('grid size-6 place-items-center rounded-full border bg-panel', look)}>
        <Icon className="size-3" />
      </span>
      <div className="min-w-0">
        <p className="flex items-baseline justify-between gap-2 text-meta text-fg-3">
          <span className="min-w-0 truncate">{entry.actor || entry.kind}</span>
          <Time us={entry.ts_us} className="mono" />
        </p>
        <p className="font-semibold break-words">{entry.title}</p>
        {entry.detail && <p className="text-meta break-words whitespace-pre-line text-fg-2">{entry.detail}</p>}
        {entry.evidence.length > 0 && (
          <p className="mt-0.5">
            <Chips ids={entry.evidence} />
          </p>
        )}
      </div>
    </li>
  )
}
