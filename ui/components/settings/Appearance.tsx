'use client'

import { clsx } from 'clsx'
import { Card } from '@/components/ui/Card'
import { setTheme, setZone, useTheme, useZone } from '@/lib/preferences'

export function Appearance() {
  const theme = useTheme()
  const zone = useZone()
  return (
    <Card title="Appearance" aside="kept in this browser">
      <div className="space-y-3 p-3">
        <Choice
          name="Theme"
          chosen={theme}
          options={[
            ['dark', 'Dark'],
            ['light', 'Light'],
            ['system', 'System'],
          ]}
          onChoose={setTheme}
        />
        <Choice
          name="Times"
          chosen={zone}
          options={[
            ['utc', 'UTC'],
            ['local', 'Local'],
          ]}
          onChoose={setZone}
        />
      </div>
    </Card>
  )
}

interface ChoiceProps<Value extends string> {
  name: string
  chosen: Value
  options: [Value, string][]
  onChoose: (value: Value) => void
}

function Choice<Value extends string>({ name, chosen, options, onChoose }: ChoiceProps<Value>) {
  return (
    <fieldset className="grid grid-cols-[8.5rem_minmax(0,1fr)] items-center">
      <legend className="float-left text-fg-3">{name}</legend>
      <div className="flex w-fit rounded-md border p-0.5">
        {options.map(([value, label]) => (
          <label
            key={value}
            className={clsx(
              'flex h-7 cursor-pointer items-center rounded px-3 font-medium max-sm:h-11 has-focus-visible:outline-2 has-focus-visible:outline-focus',
              value === chosen ? 'bg-raised text-fg' : 'text-fg-2',
            )}
          >
            <input
              type="radio"
              name={name}
              value={value}
              checked={value === chosen}
              onChange={() => onChoose(value)}
              className="sr-only"
            />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  )
}
