import { useId } from 'react'

const LABEL = 'mb-1 block text-meta font-medium text-fg-2'
const FIELD = 'h-8 w-full rounded-md border border-line-strong bg-bg px-2 text-fg max-sm:h-11'

interface FieldProps {
  label: string
  value: string
  onChange: (value: string) => void
}

interface TextFieldProps extends FieldProps {
  maxLength: number
  isRequired?: boolean
}

/** A line to type into, under its label. */
export function TextField({ label, value, onChange, maxLength, isRequired = false }: TextFieldProps) {
  const id = useId()
  return (
    <div>
      <label htmlFor={id} className={LABEL}>
        {label}
      </label>
      <input
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        required={isRequired}
        maxLength={maxLength}
        autoComplete="off"
        className={FIELD}
      />
    </div>
  )
}

interface SelectFieldProps extends FieldProps {
  /** What is chosen, and how it is called. */
  options: readonly (readonly [string, string])[]
}

export function SelectField({ label, value, onChange, options }: SelectFieldProps) {
  const id = useId()
  return (
    <div>
      <label htmlFor={id} className={LABEL}>
        {label}
      </label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)} className={FIELD}>
        {options.map(([chosen, called]) => (
          <option key={chosen} value={chosen}>
            {called}
          </option>
        ))}
      </select>
    </div>
  )
}
