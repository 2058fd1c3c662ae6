import { clsx } from 'clsx'
import { type ReactNode, useId } from 'react'

interface CardProps {
  title: ReactNode
  /** What the region is called, where the title alone would not do. */
  label?: string
  /** At the right of the head: a count, a badge. */
  aside?: ReactNode
  className?: string
  children: ReactNode
}

/** A region with a 40 px head. */
export function Card({ title, label, aside, className, children }: CardProps) {
  const id = useId()
  const name = label === undefined ? { 'aria-labelledby': id } : { 'aria-label': label }
  return (
    <section
      {...name}
      className={clsx('min-w-0 overflow-clip rounded-card border bg-panel', className)}
    >
      <header className="flex min-h-10 flex-wrap items-center justify-between gap-x-3 gap-y-1 border-b px-3 py-2">
        <h2 id={id} className="text-body font-semibold">
          {title}
        </h2>
        {aside !== undefined && <div className="text-meta text-fg-3 tabular">{aside}</div>}
      </header>
      {children}
    </section>
  )
}
