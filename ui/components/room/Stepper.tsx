import { clsx } from 'clsx'
import { Check, Minus } from 'lucide-react'
import type { RoomView } from '@/lib/api/types'
import { type StepState, steps } from '@/lib/moves'

const APPLIED = ['applied', 'verified', 'relapsed', 'reverted']

/** Detected, Acknowledged, Mitigating, Resolved. */
export function Stepper({ room }: { room: RoomView }) {
  const wasMitigated = room.proposals.some((each) => APPLIED.includes(each.status))
  return (
    <ol aria-label="Progress" className="grid grid-cols-4 divide-x border-t">
      {steps(room.incident, wasMitigated).map(([step, state]) => (
        <li
          key={step}
          aria-current={state === 'current' ? 'step' : undefined}
          className={clsx(
            'flex h-8.5 min-w-0 items-center justify-center gap-1.5 px-1 text-meta max-sm:text-tiny',
            state === 'current' && 'bg-raised font-semibold',
            state === 'done' && 'text-fg-2',
            (state === 'ahead' || state === 'skipped') && 'text-fg-3',
          )}
        >
          <StepSign state={state} />
          <span className="truncate">{step}</span>
          <span className="sr-only">{SAID[state]}</span>
        </li>
      ))}
    </ol>
  )
}

const SAID: Record<StepState, string> = { done: 'done', current: 'now', skipped: 'skipped', ahead: 'not yet' }

function StepSign({ state }: { state: StepState }) {
  if (state === 'done') return <Check className="size-3.5 shrink-0 text-ok" aria-hidden />
  if (state === 'skipped') return <Minus className="size-3.5 shrink-0" aria-hidden />
  return (
    <span
      aria-hidden
      className={clsx('size-1.5 shrink-0 rounded-full max-sm:hidden', state === 'current' ? 'bg-accent' : 'bg-idle')}
    />
  )
}
