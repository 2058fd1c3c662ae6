import { clsx } from 'clsx'
import type { ComponentProps } from 'react'

const LOOK = {
  primary: 'bg-accent text-accent-fg hover:bg-accent-hover border-transparent font-semibold',
  secondary: 'bg-panel text-fg hover:bg-raised border-line font-medium',
  danger: 'bg-crit-soft text-crit hover:border-crit border-transparent font-semibold',
  quiet: 'bg-transparent text-fg-2 hover:bg-raised hover:text-fg border-transparent font-medium',
} as const

interface ButtonProps extends ComponentProps<'button'> {
  look?: keyof typeof LOOK
}

export function Button({ look = 'secondary', className, ...props }: ButtonProps) {
  return (
    <button
      type="button"
      {...props}
      className={clsx(
        'inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md border px-2.5 text-body whitespace-nowrap max-sm:h-11 max-sm:px-3',
        'disabled:cursor-not-allowed disabled:opacity-55',
        LOOK[look],
        className,
      )}
    />
  )
}
