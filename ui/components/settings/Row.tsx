import type { ReactNode } from 'react'

/** A line of a card: what it is about, and how that stands. */
export function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[8.5rem_minmax(0,1fr)] px-3 py-2">
      <dt className="text-fg-3">{name}</dt>
      <dd className="break-words">{children}</dd>
    </div>
  )
}

/** What explains it, beneath. */
export function Small({ children }: { children: ReactNode }) {
  return <span className="block text-meta text-fg-3">{children}</span>
}
