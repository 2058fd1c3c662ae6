import { clsx } from 'clsx'
import type { ReactNode } from 'react'
import type { Tone } from '@/lib/labels'

const LOOK: Record<Tone, string> = {
  crit: 'bg-crit-soft text-crit',
  warn: 'bg-warn-soft text-warn',
  ok: 'bg-ok-soft text-ok',
  info: 'bg-info-soft text-info',
  idle: 'bg-raised text-fg-2',
}

interface BadgeProps {
  tone: Tone
  className?: string
  children: ReactNode
}

export function Badge({ tone, className, children }: BadgeProps) {
  return (
    <span
      className={clsx(
        'inline-flex h-5 shrink-0 items-center gap-1 rounded px-1.5 text-tiny font-semibold whitespace-nowrap',
        LOOK[tone],
        className,
      )}
    >
      {children}
    </span>
  )
}

/** `SEV-1`, with a dot that beats while the incident is open. */
export function SeverityBadge({ severity, isOpen }: { severity: number; isOpen: boolean }) {
  const tone = isOpen ? SEVERITY[Math.min(severity, 4)] : 'idle'
  return (
    <Badge tone={tone ?? 'idle'} className="tracking-wide">
      {isOpen && severity === 1 && (
        <span className="relative size-1.5" aria-hidden>
          <span className="absolute -inset-0.75 animate-[halo_2s_ease-in-out_infinite] rounded-full bg-crit-fill/35" />
          <span className="absolute inset-0 rounded-full bg-crit-fill" />
        </span>
      )}
      SEV-{severity}
    </Badge>
  )
}

const SEVERITY: Tone[] = ['crit', 'crit', 'warn', 'info', 'idle']
