# SPDX-License-Identifier: MIT
"""What tools/lab is made of."""
