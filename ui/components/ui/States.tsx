'use client'

import type { UseQueryResult } from '@tanstack/react-query'
import { CloudOff, Lock, RotateCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '@/lib/api/client'
import { Button } from './Button'

interface LoadedProps<Data> {
  query: UseQueryResult<Data>
  /** As large as what comes. */
  skeleton: ReactNode
  /** What failed, for the message: "the cluster". */
  what: string
  children: (data: Data) => ReactNode
}

/** The states of a view that waits for data; what is there stays on screen when a refresh fails. */
export function Loaded<Data>({ query, skeleton, what, children }: LoadedProps<Data>) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) {
    return <Failure error={query.error} what={what} onRetry={() => void query.refetch()} />
  }
  return (
    <div role="status" aria-label={`Loading ${what}`}>
      {skeleton}
    </div>
  )
}

interface FailureProps {
  error: Error
  what: string
  onRetry: () => void
}

/** What failed, why, and what to do next. */
export function Failure({ error, what, onRetry }: FailureProps) {
  const isForbidden = error instanceof ApiError && error.status === 403
  const reference = error instanceof ApiError ? error.problem?.reference : null
  const Icon = isForbidden ? Lock : CloudOff
  return (
    <div role="alert" className="flex flex-col items-center gap-2 px-4 py-8 text-center">
      <Icon className="size-5 text-fg-3" aria-hidden />
      <p className="font-semibold">
        {isForbidden ? `You may not see ${what}` : `Could not load ${what}`}
      </p>
      <p className="max-w-md text-meta break-words text-fg-2">{error.message}</p>
      {reference && <p className="text-meta text-fg-3">Reference <code>{reference}</code></p>}
      {!isForbidden && (
        <Button onClick={onRetry} className="mt-1">
          <RotateCw className="size-3.5" aria-hidden /> Try again
        </Button>
      )}
    </div>
  )
}

interface EmptyProps {
  title: string
  icon?: ReactNode
  children?: ReactNode
}

/** Nothing there, said in a way that tells whether that is good. */
export function Empty({ title, icon, children }: EmptyProps) {
  return (
    <div className="flex flex-col items-center gap-1 px-4 py-7 text-center">
      {icon}
      <p className="font-medium text-fg-2">{title}</p>
      {children && <div className="max-w-md text-meta text-fg-3">{children}</div>}
    </div>
  )
}

/** Grey lines in the place of rows that are on their way. */
export function RowSkeletons({ rows, height = 'h-12' }: { rows: number; height?: string }) {
  return (
    <div className="divide-y" aria-hidden>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={`flex items-center gap-3 px-3 ${height}`}>
          <span className="skeleton h-3 w-14" />
          <span className="skeleton h-3 flex-1" />
          <span className="skeleton h-3 w-10" />
        </div>
      ))}
    </div>
  )
}
