'use client'

import { CheckCircle2, CircleAlert } from 'lucide-react'
import { useToasts } from '@/lib/toasts'

/** What was done, at the lower edge where it covers no column. */
export function Toasts() {
  const toasts = useToasts()
  return (
    <div
      role="status"
      aria-live="polite"
      aria-label="Notices"
      className="pointer-events-none fixed inset-x-0 bottom-4 z-50 flex flex-col items-center gap-2 px-3 max-sm:bottom-20"
    >
      {toasts.map((toast) => (
        <p
          key={toast.id}
          className="appear flex max-w-lg items-center gap-2 rounded-card border border-line-strong bg-panel px-3 py-2 font-medium shadow-lift"
        >
          {toast.isError ? (
            <CircleAlert className="size-4 shrink-0 text-crit" aria-hidden />
          ) : (
            <CheckCircle2 className="size-4 shrink-0 text-ok" aria-hidden />
          )}
          <span className="break-words">{toast.text}</span>
        </p>
      ))}
    </div>
  )
}
