import type { ReactNode } from 'react'

/** The page's name and what stands beside it. */
export function PageHead({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mb-3 flex min-h-8 flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <h1 className="text-title font-semibold tracking-tight">{title}</h1>
      {children}
    </div>
  )
}
