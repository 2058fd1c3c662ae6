'use client'

import { Failure } from '@/components/ui/States'

interface PageErrorProps {
  error: Error
  reset: () => void
}

/** A bug of ours on one page; what stands around it goes on working. */
export default function PageError({ error, reset }: PageErrorProps) {
  return (
    <div className="rounded-card border bg-panel">
      <h1 className="sr-only">Error</h1>
      <Failure error={error} what="this page" onRetry={reset} />
    </div>
  )
}
