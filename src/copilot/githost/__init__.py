"""Git hosts: each module meets `copilot.ports.GitHost` for one repository and no more."""
