const OPERATORS: [string, string][] = [
  ['ns:shop', 'only this namespace'],
  ['app:checkout', 'only this app'],
  ['level:>=warn', 'at least this severe: debug, info, warn, error, fatal'],
  ['since:15m', 'only since then: 30s, 15m, 2h, 7d; until: ends it'],
  ['kind:log', 'only log, event, incident, runbook or change'],
  ['"exact words"', 'these words next to each other'],
  ['-word', 'without this word'],
]

export function Operators() {
  return (
    <details className="mt-2 text-meta">
      <summary className="w-fit text-fg-3 hover:text-fg max-sm:py-3.5">Operators</summary>
      <dl className="mt-1 grid w-fit grid-cols-[auto_1fr] gap-x-4 gap-y-1 rounded-card border bg-panel px-3 py-2">
        {OPERATORS.map(([operator, meaning]) => (
          <div key={operator} className="contents">
            <dt>
              <code>{operator}</code>
            </dt>
            <dd className="text-fg-2">{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  )
}
