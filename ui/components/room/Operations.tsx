import type { OperationView } from '@/lib/api/types'

/** What is deleted, made or touched beside the diff, or where there is none. */
export function Operations({ operations }: { operations: OperationView[] }) {
  return (
    <ol aria-label="What is done" className="space-y-1 border-t px-3 py-2 text-meta">
      {operations.map((operation, index) => (
        <li key={index}>
          <p className="font-semibold break-words">
            {index + 1}. {operation.text}
          </p>
          {operation.body && (
            <details className="mt-0.5 text-fg-2">
              <summary className="cursor-pointer">What exactly</summary>
              <pre className="mono mt-1 max-h-64 overflow-auto rounded bg-raised p-2">{operation.body}</pre>
            </details>
          )}
        </li>
      ))}
    </ol>
  )
}
